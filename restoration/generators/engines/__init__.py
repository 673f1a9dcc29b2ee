"""Engines run a generator on a device; what computes is imported only when one is opened."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from restoration.generators.engines.engine import Engine, InstanceEngine
from restoration.generators.engines.selection import describe_engine, load_openvino, select_engine

if TYPE_CHECKING:
    from restoration.generators.models import ModelCard

# Read when torch loads its OpenMP. Threads that spin while they wait made a window take 2 s instead of 0.17 s
# as soon as another process wanted one of two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# `import openvino` calls a service that counts its users, unless this package cannot be imported. What an
# archive does is nobody's business.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

__all__ = ["Engine", "InstanceEngine", "describe_engine", "open_engine"]


def open_engine(
    card: ModelCard, device: str = "auto", threads: int | None = None, engine: str = "auto"
) -> Engine:
    """Load a model into an engine: "torch", "openvino" or "auto", on a device: "cpu", "cuda" or "auto".

    "auto" is torch on CUDA where there is a device, else OpenVINO on the CPU, without torch. `threads` sets
    how many threads the CPU computes with; for torch this holds for the whole process. Raises
    EngineUnavailable if what is asked for is missing, WeightsMismatch if the weights are not those on the
    card, ModelError if they are not those of its architecture, OutOfMemory if they do not fit.
    """
    chosen = select_engine(engine, device)
    if chosen.engine == "torch":
        from restoration.generators.engines.torch_engine import open_torch_engine  # noqa: PLC0415  (takes seconds)

        return open_torch_engine(card, chosen.device, threads)
    load_openvino()
    from restoration.generators.engines.openvino_engine import open_openvino_engine  # noqa: PLC0415  (likewise)

    return open_openvino_engine(card, threads)
