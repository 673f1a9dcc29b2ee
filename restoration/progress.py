"""Seconds and progress of the stages of one restoration."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from restoration.masters.strips import RowListener
from restoration.results import Progress, ProgressListener, Stage


class StageRecorder:
    """Measures the stages and passes their progress on to a listener."""

    def __init__(self, listener: ProgressListener | None) -> None:
        self._listener = listener
        self.seconds: dict[str, float] = {}
        """By stage."""

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[RowListener]:
        """Measure a stage, or another part of it; yield what takes its `done` and `total`."""
        began = time.perf_counter()
        yield lambda done, total: self.report(stage, done, total)
        spent = self.seconds.get(stage.value, 0.0) + time.perf_counter() - began
        self.seconds[stage.value] = round(spent, 3)

    def report(self, stage: Stage, done: int, total: int) -> None:
        """Notify the listener, whose errors end the work."""
        if self._listener:
            self._listener(Progress(stage, done, total))
