"""Whether this host can work at all now; if not, the worker waits and the jobs are left to others.

Disk, outbox and inbox are looked at before a job is claimed. While one is missing, the process keeps the one
message in its hand, notes on that job what is waited for, and looks again every second: work goes on at once,
no attempt and no event is spent, and a host whose share is away does not take the jobs of the others.
"""

import datetime as dt
import time
from collections.abc import Callable

from db.catalog import latest_derivative_paths
from db.core import Database
from db.queue import delay_job, end_waits, transient_delay
from db.values import Problem
from restoration import Transient
from worker.inbox.intake import known_in_inbox
from worker.outbox.paths import require_space
from worker.parts.wait_reporter import WaitReporter
from worker.settings import Settings
from worker.storage.mounts import require_inbox, require_outbox

_LOOK = 1.0
_LONGEST = 30.0


class Preflight:
    """The gate that every job of this process goes through."""

    def __init__(self, database: Database, settings: Settings, draining: Callable[[], float | None]) -> None:
        self._database = database
        self._settings = settings
        self._draining = draining
        self._reporter = WaitReporter(settings, "worker")
        self._since: float | None = None

    def passes(self, job_id: int) -> bool:
        """Return whether the job may be claimed; waits up to half a minute for what is missing.

        False means that the job is to be left in the queue: it is sent again when it is due. Raises
        DatabaseUnavailable.
        """
        missing = self._missing()
        if missing is None:
            self._go_on()
            return True
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        self._reporter.report(missing)
        pause = min(transient_delay(dt.timedelta(seconds=now - self._since)).total_seconds(), _LONGEST)
        problem = Problem(missing.code, missing.reason, missing.remedy)
        self._database.run(lambda s: delay_job(s, job_id, problem, dt.timedelta(seconds=pause)))
        deadline = time.monotonic() + pause
        while time.monotonic() < deadline and self._draining() is None:
            time.sleep(_LOOK)
            if self._missing() is None:
                self._go_on()
                return True
        return False

    def require_inbox(self) -> None:
        """Raise MasterUnavailable if the inbox is away, as it may be since the job passed."""
        require_inbox(self._settings, known_in_inbox(self._database))

    def _missing(self) -> Transient | None:
        try:
            require_space(self._settings)
            require_outbox(self._settings, self._latest)
            self.require_inbox()
        except Transient as cause:
            return cause
        return None

    def _go_on(self) -> None:
        """Let the jobs go on that waited for what is there again."""
        code = self._reporter.code
        if code is None:
            return
        self._database.run(lambda s: end_waits(s, code))
        self._reporter.clear()
        self._since = None

    def _latest(self) -> list[bytes]:
        with self._database.read() as s:
            return latest_derivative_paths(s)
