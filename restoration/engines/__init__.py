"""Engines run a generator on a device; torch is imported only when one is opened."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from restoration.engines.device import describe_device
from restoration.engines.engine import Engine, InstanceEngine

if TYPE_CHECKING:
    from restoration.models import ModelCard

# Read when torch loads its OpenMP. Threads that spin while they wait made a window take 2 s instead of 0.17 s
# as soon as another process wanted one of two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__all__ = ["Engine", "InstanceEngine", "describe_device", "open_engine"]


def open_engine(card: ModelCard, device: str = "auto", threads: int | None = None) -> Engine:
    """Load a model onto a device: "auto" (CUDA where there is one), "cpu" or "cuda".

    `threads` sets how many threads the CPU computes with, for the whole process. Raises EngineUnavailable
    if CUDA is asked for and missing, WeightsMismatch if the weights are not those on the card, OutOfMemory
    if they do not fit.
    """
    from restoration.engines.torch_engine import open_torch_engine  # noqa: PLC0415  (torch takes seconds)

    return open_torch_engine(card, device, threads)
