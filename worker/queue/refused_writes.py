"""What a worker does while its broker answers but refuses what is written: it waits, and says for what.

A broker refuses writes when its memory or its disk is full, when it became a replica, or when too few
replicas follow it. A worker can take no message then. Celery would connect anew six times a second.
"""

import time

from celery.worker.state import maybe_shutdown

from worker.parts.wait_reporter import WaitReporter
from worker.queue.broker import broker_error
from worker.settings import Settings

_FIRST, _LONGEST = 0.5, 4.0
"""Seconds between two tries: each is twice as long as the one before, up to the longest."""
_LOOK = 0.1


class WriteRefusal:
    """Whether the broker refused the last write of this worker."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._reporter: WaitReporter | None = None
        self._pause = _FIRST
        self.lasts = False

    def tell(self, settings: Settings) -> None:
        """Have `saek status` and `saek doctor` told from now on."""
        self._settings, self._reporter = settings, WaitReporter(settings, "worker")

    def met(self, error: Exception) -> None:
        """Wait before the next try. Raises celery.exceptions.WorkerShutdown when the worker is to stop."""
        self.lasts = True
        if self._settings and self._reporter:
            self._reporter.report(broker_error(self._settings, error))
        until = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST)
        while time.monotonic() < until:
            maybe_shutdown()
            time.sleep(_LOOK)

    def over(self) -> None:
        """Note that a write was taken."""
        self.lasts, self._pause = False, _FIRST
        if self._reporter:
            self._reporter.clear()


write_refusal = WriteRefusal()
"""Of this process."""
