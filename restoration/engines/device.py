"""Where a network can be computed on this machine."""

from __future__ import annotations

import platform
from types import ModuleType
from typing import Literal

from restoration.errors import EngineUnavailable

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(device: str) -> Literal["cpu", "cuda"]:
    """Turn "auto", "cpu" or "cuda" into the device that is really used.

    "auto" takes CUDA where there is a device. Raises EngineUnavailable if CUDA is asked for and there is
    none, or if torch cannot be loaded; ValueError for another word.
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {device!r}")
    if device == "cpu":
        return "cpu"
    torch = _torch()
    if torch.cuda.is_available():
        return "cuda"
    if device == "auto":
        return "cpu"
    built = torch.version.cuda
    reason = "this torch is built without CUDA" if built is None else "torch finds no CUDA device"
    raise EngineUnavailable(
        reason=reason, remedy="use the device cpu or auto, or install a driver and a torch build with CUDA"
    )


def describe_device(device: str = "auto") -> str:
    """Say in one line what a network would be computed on. Raises like `resolve_device`."""
    chosen = resolve_device(device)
    torch = _torch()
    if chosen == "cuda":
        gib = torch.cuda.get_device_properties(0).total_memory / 2**30
        return f"cuda: {torch.cuda.get_device_name(0)}, {gib:.0f} GiB (torch {torch.__version__})"
    capability = torch.backends.cpu.get_cpu_capability()
    threads = torch.get_num_threads()
    return f"cpu: {platform.machine()} {capability}, {threads} threads (torch {torch.__version__})"


def _torch() -> ModuleType:
    try:
        import torch  # noqa: PLC0415  (torch takes seconds, and may not load)
    except (ImportError, OSError) as error:
        raise EngineUnavailable(
            reason=f"torch cannot be loaded: {error}",
            remedy="install torch and torchvision from one registry",
        ) from error
    return torch
