"""Preflight checks: whether this host can work at all now.

Disk, outbox and inbox are checked before a job is claimed. While one of them is missing, the process keeps
its message, notes the cause of the wait on that job, and checks again every second. Work continues at once
when the cause is gone, no attempt and no event is spent, and a host without its share takes no jobs away from
the others.
"""

import datetime as dt
import time
from collections.abc import Callable

from db.catalog import latest_derivative_paths
from db.core import Database
from db.queue import delay_job, end_waits, transient_delay
from db.values import Problem
from restoration import Transient
from worker.inbox.rescan import known_in_inbox
from worker.outbox.paths import require_space
from worker.parts.wait_reporter import WaitReporter
from worker.settings import Settings
from worker.storage.mounts import require_inbox, require_outbox

_CHECK_SECONDS = 1.0
_MAX_PAUSE = 30.0


class Preflight:
    """The checks of one worker process, and the wait that they report."""

    def __init__(self, database: Database, settings: Settings, draining: Callable[[], float | None]) -> None:
        self._database = database
        self._settings = settings
        self._draining = draining
        self._reporter = WaitReporter(settings, "worker")
        self._since: float | None = None

    def passes(self, job_id: int) -> bool:
        """Return whether the job may be claimed; wait up to half a minute for what is missing.

        False means that the job stays in the queue and is sent again when it is due. Raises
        DatabaseUnavailable.
        """
        cause = self._cause()
        if cause is None:
            self._release()
            return True
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        self._reporter.report(cause)
        pause = min(transient_delay(dt.timedelta(seconds=now - self._since)).total_seconds(), _MAX_PAUSE)
        problem = Problem(cause.code, cause.reason, cause.remedy)
        self._database.run(lambda s: delay_job(s, job_id, problem, dt.timedelta(seconds=pause)))
        deadline = time.monotonic() + pause
        while time.monotonic() < deadline and self._draining() is None:
            time.sleep(_CHECK_SECONDS)
            if self._cause() is None:
                self._release()
                return True
        return False

    def require_inbox(self) -> None:
        """Raise MasterUnavailable if the inbox is away, as it may be since the job was claimed."""
        require_inbox(self._settings, known_in_inbox(self._database))

    def _cause(self) -> Transient | None:
        try:
            require_space(self._settings)
            require_outbox(self._settings, self._latest)
            self.require_inbox()
        except Transient as cause:
            return cause
        return None

    def _release(self) -> None:
        """Release the jobs that waited for the cause that is gone now."""
        code = self._reporter.code
        if code is None:
            return
        self._database.run(lambda s: end_waits(s, code))
        self._reporter.clear()
        self._since = None

    def _latest(self) -> list[bytes]:
        with self._database.read() as s:
            return latest_derivative_paths(s)
