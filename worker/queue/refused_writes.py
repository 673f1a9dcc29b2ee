"""Whether the broker rejects this worker's writes, and the growing pauses between attempts.

A broker rejects writes when its memory or its disk is full, when it became a replica, or when too few
replicas follow it. A worker can take no message then, and Celery would reconnect six times a second.
"""

import time

from celery.worker.state import maybe_shutdown

from worker.parts.wait_reporter import WaitReporter
from worker.queue.broker import broker_error
from worker.settings import Settings

_FIRST_PAUSE, _MAX_PAUSE = 0.5, 4.0
"""Seconds between two tries: each pause is twice as long as the one before, up to the longest."""
_SHUTDOWN_CHECK = 0.1


class WriteRefusal:
    """Write refusal by the broker; `active` if it rejected the last write of this worker."""

    def __init__(self) -> None:
        self._settings: Settings | None = None
        self._reporter: WaitReporter | None = None
        self._pause = _FIRST_PAUSE
        self.active = False

    def report_to(self, settings: Settings) -> None:
        """Show waits in `saek status` and `saek doctor` from now on."""
        self._settings, self._reporter = settings, WaitReporter(settings, "worker")

    def wait(self, error: Exception) -> None:
        """Wait before the next try. Raises celery.exceptions.WorkerShutdown when the worker is to stop."""
        self.active = True
        if self._settings and self._reporter:
            self._reporter.report(broker_error(self._settings, error))
        until = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _MAX_PAUSE)
        while time.monotonic() < until:
            maybe_shutdown()
            time.sleep(_SHUTDOWN_CHECK)

    def clear(self) -> None:
        """Note that a write was accepted."""
        self.active, self._pause = False, _FIRST_PAUSE
        if self._reporter:
            self._reporter.clear()


write_refusal = WriteRefusal()
"""Of this process: kombu makes the connections, and passes nothing of ours to them."""
