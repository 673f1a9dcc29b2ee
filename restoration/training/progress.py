"""Progress reports and the result of a training run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from restoration.training.metrics import SetMetrics
from restoration.training.recipe import TrainingError
from restoration.training.throughput import TimeSpent


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """Progress since the last report; a listener receives one every few seconds."""

    phase: str
    step: int
    steps: int
    loss: float
    samples_per_second: float
    waiting_share: float
    """Share of the time in which training waited for samples."""
    device_load: float | None
    """Share of the time in which the CUDA device computed; None on a CPU, or without readings."""
    seconds_left: float


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The end of a run: the step whose weights were picked, and their metrics on held-out pictures."""

    run: Path
    steps: int
    best_step: int
    validation: tuple[SetMetrics, ...]
    test: tuple[SetMetrics, ...]
    spent: TimeSpent


def require_finite(losses: Sequence[float], step: int, run: Path) -> None:
    """Raise TrainingError if training has diverged."""
    if not all(map(math.isfinite, losses)):
        raise TrainingError(
            reason=f"the loss is not a finite number after step {step}",
            remedy="lower the learning rate",
            path=run,
        )
