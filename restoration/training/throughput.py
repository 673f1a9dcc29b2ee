"""Throughput of training: wall-clock and CPU time, samples, and time spent waiting for samples."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class TimeSpent:
    """Time that training took, without that of measuring checkpoints.

    `cpu_seconds` are those of all threads of the training process, not of the processes that draw samples.
    """

    samples: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    waiting_seconds: float = 0.0

    @property
    def samples_per_second(self) -> float:
        """Samples per second of wall-clock time."""
        return self.samples / max(self.seconds, 1e-9)

    @property
    def waiting_share(self) -> float:
        """Share of the time in which training waited for samples."""
        return self.waiting_seconds / max(self.seconds, 1e-9)

    def add(self, other: TimeSpent) -> None:
        """Add the time and samples of another part of the run."""
        for part in fields(self):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))


class Stopwatch:
    """Measures consecutive laps."""

    def __init__(self) -> None:
        self._lap = TimeSpent()
        self.restart()

    def restart(self) -> None:
        """Begin a lap now; the time since the last one is not counted."""
        self._lap = TimeSpent()
        self._clock, self._processor = time.perf_counter(), time.process_time()

    def waiting_for(self, stream: Iterator[T]) -> Iterator[T]:
        """Yield the items of a stream and measure the time spent waiting for them."""
        while True:
            asked = time.perf_counter()
            item = next(stream, None)
            self._lap.waiting_seconds += time.perf_counter() - asked
            if item is None:
                return
            yield item

    def lap(self, samples: int) -> TimeSpent:
        """Return the time since the last lap, in which `samples` were trained on, and begin the next lap."""
        done = self._lap
        done.samples = samples
        done.seconds = time.perf_counter() - self._clock
        done.cpu_seconds = time.process_time() - self._processor
        self.restart()
        return done
