"""What training costs: seconds of the clock and of the processor, and how long it waited for samples."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class TimeSpent:
    """What a stretch of learning took; measuring checkpoints is not counted.

    `cpu_seconds` are those of the training process, over all its threads; processes that draw samples are not
    in it.
    """

    samples: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    waiting_seconds: float = 0.0

    @property
    def samples_per_second(self) -> float:
        """Samples learned from in a second of the clock."""
        return self.samples / max(self.seconds, 1e-9)

    @property
    def waiting_share(self) -> float:
        """Share of the time in which there was no sample to learn from."""
        return self.waiting_seconds / max(self.seconds, 1e-9)

    def add(self, other: TimeSpent) -> None:
        """Add what another stretch took."""
        for part in fields(self):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))


class Stopwatch:
    """Measures one lap after the other."""

    def __init__(self) -> None:
        self._lap = TimeSpent()
        self.restart()

    def restart(self) -> None:
        """Begin a lap here; what has passed since the last one counts for nothing."""
        self._lap = TimeSpent()
        self._clock, self._processor = time.perf_counter(), time.process_time()

    def waiting_for(self, stream: Iterator[T]) -> Iterator[T]:
        """Pass a stream on, and take the time that each of its items lets one wait."""
        while True:
            asked = time.perf_counter()
            item = next(stream, None)
            self._lap.waiting_seconds += time.perf_counter() - asked
            if item is None:
                return
            yield item

    def lap(self, samples: int) -> TimeSpent:
        """Tell what it took to learn from `samples` samples since the last lap, and begin the next."""
        done = self._lap
        done.samples = samples
        done.seconds = time.perf_counter() - self._clock
        done.cpu_seconds = time.process_time() - self._processor
        self.restart()
        return done
