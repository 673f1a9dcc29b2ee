"""Selection of the engine and device that run a generator."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from restoration.errors import EngineUnavailable

if TYPE_CHECKING:
    from restoration.generators.engines.engine import Engine
    from restoration.generators.models import ModelCard

ENGINES = ("auto", "torch", "openvino")
DEVICES = ("auto", "cpu", "cuda")

_CUDA_DRIVER = "libcuda.so.1"


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine and the device that it runs on."""

    engine: Literal["torch", "openvino"]
    device: Literal["cpu", "cuda"]


def open_engine(
    card: ModelCard, device: str = "auto", threads: int | None = None, engine: str = "auto"
) -> Engine:
    """Load a model into the engine that `select_engine` selects.

    `threads` is the number of CPU threads; for torch it holds for the whole process. Raises EngineUnavailable
    if the engine or device is missing, WeightsMismatch if the weights are not those on the card, ModelError
    if they are not those of its architecture, OutOfMemory if they do not fit.
    """
    chosen = select_engine(engine, device)
    if chosen.engine == "torch":
        from restoration.generators.engines.torch_engine import open_torch_engine  # noqa: PLC0415  (takes seconds)

        return open_torch_engine(card, chosen.device, threads)
    load_openvino()
    from restoration.generators.engines.openvino_engine import open_openvino_engine  # noqa: PLC0415  (likewise)

    return open_openvino_engine(card, threads)


def select_engine(engine: str = "auto", device: str = "auto") -> EngineChoice:
    """Return the engine and device to use for "torch", "openvino" or "auto" on "cpu", "cuda" or "auto".

    "auto" is torch on CUDA where there is a device, else OpenVINO on the CPU; torch is loaded only if it may
    be used. Raises EngineUnavailable if CUDA is requested and there is none, or with OpenVINO, or if torch
    cannot be loaded; ValueError for another word.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {device!r}")
    if engine == "openvino" and device == "cuda":
        raise EngineUnavailable(
            reason="OpenVINO computes on the CPU here, not on CUDA",
            remedy="use the engine auto or torch, or the device cpu or auto",
        )
    if engine == "torch":
        return EngineChoice("torch", resolve_device(device))
    if engine == "openvino" or device == "cpu":
        return EngineChoice("openvino", "cpu")
    if device == "cuda" or cuda_devices():
        found = resolve_device(device)
        return EngineChoice("torch" if found == "cuda" else "openvino", found)
    return EngineChoice("openvino", "cpu")


def resolve_device(device: str) -> Literal["cpu", "cuda"]:
    """Return the device that torch uses for "auto", "cpu" or "cuda".

    "auto" is CUDA where there is a device. Raises EngineUnavailable if CUDA is requested and there is none,
    or if torch cannot be loaded; ValueError for another word.
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


def cuda_devices() -> int:
    """Return the number of CUDA devices of this process, as the driver reports it without torch."""
    try:
        driver = ctypes.CDLL(_CUDA_DRIVER)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def describe_engine(engine: str = "auto", device: str = "auto") -> str:
    """Describe the selected engine and its device in one line. Raises as `select_engine` does."""
    chosen = select_engine(engine, device)
    if chosen.engine == "openvino":
        openvino = load_openvino()
        cpu = openvino.Core().get_property("CPU", "FULL_DEVICE_NAME")
        return f"openvino/cpu: {cpu} (OpenVINO {openvino.__version__.split('-')[0]})"
    torch = _torch()
    if chosen.device == "cuda":
        gib = torch.cuda.get_device_properties(0).total_memory / 2**30
        name = torch.cuda.get_device_name(0)
        return f"torch/cuda: {name}, {gib:.0f} GiB (torch {torch.__version__})"
    capability = torch.backends.cpu.get_cpu_capability()
    threads = torch.get_num_threads()
    return f"torch/cpu: {platform.machine()} {capability}, {threads} threads (torch {torch.__version__})"


def load_openvino() -> ModuleType:
    """Import OpenVINO. Raises EngineUnavailable if it does not load."""
    try:
        import openvino  # noqa: PLC0415  (it takes a moment, and may not load)
    except (ImportError, OSError) as error:
        if interruption := _interruption(error):
            raise interruption from None
        raise EngineUnavailable(
            reason=f"OpenVINO cannot be loaded: {error}",
            remedy="install openvino again, or use the engine torch",
        ) from error
    module: ModuleType = openvino
    return module


def _interruption(error: BaseException) -> BaseException | None:
    """Return the Ctrl-C that caused an error: while extension modules load, it reads as a failed import."""
    behind: BaseException | None = error
    while behind is not None and isinstance(behind, Exception):
        behind = behind.__cause__
    return behind


def _torch() -> ModuleType:
    try:
        import torch  # noqa: PLC0415  (torch takes seconds, and may not load)
    except (ImportError, OSError) as error:
        raise EngineUnavailable(
            reason=f"torch cannot be loaded: {error}",
            remedy="install torch and torchvision from one registry",
        ) from error
    return torch
