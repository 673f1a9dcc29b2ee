"""The lease of a job: claimed, kept alive during the work, and ended by one recorded transition."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog
from sqlalchemy.orm import Session

from db.core import Database
from db.errors import DatabaseUnavailable, LeaseLost
from db.queue import Lease, jobs
from db.values import NewDerivative, Problem
from restoration import MasterChanged, MasterError, Progress, ReaderFailed, Stage
from worker.parts.problems import problem_of, transient_cause
from worker.settings import Settings

_MAX_PAUSE = 5.0

T = TypeVar("T")

_log = structlog.get_logger()


class JobCancelled(Exception):
    """The job is to be cancelled."""


class JobYielded(Exception):
    """The job goes back to the queue: its lane is paused or the worker shuts down."""


class HeldJob:
    """A claimed job, whose lease a thread keeps alive; `log` names job and file."""

    def __init__(
        self, database: Database, lease: Lease, settings: Settings, draining: Callable[[], float | None]
    ) -> None:
        self.lease = lease
        self.log = _log.bind(job=lease.job_id, file=lease.display)
        self._database = database
        self._extend = dt.timedelta(seconds=settings.lease_seconds)
        self._drain_seconds = settings.drain_seconds
        self._draining = draining
        self._progress = Progress(Stage.READ, 0, 1)
        self._stop: Exception | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="heartbeat", daemon=True)

    def report_progress(self, progress: Progress) -> None:
        """Note progress, or stop the work: raises JobCancelled, JobYielded or LeaseLost."""
        self._progress = progress
        drained_for = self._draining()
        if drained_for is not None and drained_for >= self._drain_seconds:
            raise JobYielded("the worker shuts down")
        if self._stop is not None:
            raise self._stop

    def finish(self, record: NewDerivative, publish: Callable[[Session], None]) -> int:
        """Record the derivative; `publish` is called once the fencing token is confirmed, before the commit.

        The database is waited for, since the work is done. Raises LeaseLost, before `publish` is called, if
        another worker holds the job.
        """
        self._end()
        published = False

        def record_it() -> int:
            nonlocal published
            with self._database.begin() as s:
                derivative_id = jobs.finish(s, self.lease, record)
                if not published:
                    publish(s)
                published = True
            return derivative_id

        return self._wait_for_database(record_it)

    def start(self) -> None:
        """Start the thread that keeps the lease alive."""
        self._thread.start()

    def _end(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def end_with(self, error: Exception) -> None:
        """Record the transition for the error that ended the work; nothing if the lease was lost."""
        self._end()
        try:
            if isinstance(error, LeaseLost):
                raise error
            self._wait_for_database(lambda: self._record(error))
        except LeaseLost as lost:
            self.log.warning("the lease was lost; the work is dropped", reason=lost.reason)

    def _wait_for_database(self, step: Callable[[], T]) -> T:
        """Run `step`, and retry it while the database is away, unless the worker shuts down.

        The retries are as frequent as heartbeats, so that the result is recorded before the lease runs out
        once the database is back. (tenacity would need the same two conditions and a log function, and is
        not shorter here.)
        """
        max_pause = min(_MAX_PAUSE, self._extend.total_seconds() / 6)
        pause = min(0.5, max_pause)
        while True:
            try:
                return step()
            except DatabaseUnavailable as error:
                if self._draining() is not None:
                    raise
                self.log.warning("waiting", code=error.code, reason=error.reason)
                time.sleep(pause)
                pause = min(2 * pause, max_pause)

    def _record(self, error: Exception) -> None:
        lease, log = self.lease, self.log.bind(attempt=self.lease.attempt)
        with self._database.begin() as s:
            match error:
                case JobCancelled():
                    jobs.end_cancelled(s, lease)
                    log.info("cancelled")
                case JobYielded():
                    jobs.requeue(s, lease, str(error))
                    log.info("put back", reason=str(error))
                case MasterChanged():
                    jobs.supersede(s, lease, error.reason)
                    log.warning("the master changed", reason=error.reason)
                case MasterError():
                    quarantined = jobs.fail(s, lease, problem_of(error), quarantine=True)
                    # A scan with older derivatives is not quarantined.
                    became = "quarantined" if quarantined else "failed"
                    log.warning(became, code=error.code, reason=error.reason, remedy=error.remedy)
                case ReaderFailed():
                    state = jobs.fail_attempt(s, lease, problem_of(error, lease.attempt))
                    log.warning("reading it failed", now=state.value, code=error.code, reason=error.reason)
                case _ if (cause := transient_cause(error)) is not None:
                    jobs.retry_later(s, lease, cause)
                    log.warning("waiting", code=cause.code, reason=cause.reason, remedy=cause.remedy)
                case _:
                    problem = Problem(
                        code=getattr(error, "code", "internal-error"),
                        reason=f"{type(error).__name__}: {error}",
                        remedy="Check the worker's log for this job, then run `saek retry`",
                    )
                    state = jobs.fail_attempt(s, lease, problem)
                    log.error("the attempt failed", now=state.value, exc_info=error)

    def _keep_alive(self) -> None:
        period = self._extend.total_seconds() / 6
        while not self._over.wait(period):
            progress = self._progress
            try:
                with self._database.begin() as s:
                    control = jobs.heartbeat(
                        s,
                        self.lease,
                        progress.stage.value,
                        progress.done,
                        progress.total,
                        extend=self._extend,
                    )
            except LeaseLost as error:
                self._stop = error
                return
            except DatabaseUnavailable:
                continue  # no one can claim the job meanwhile; the token shows if it happened
            if control.cancel_requested:
                self._stop = JobCancelled("cancelled on request")
            elif control.paused:
                self._stop = JobYielded("the lane is paused")


@contextmanager
def claimed_job(
    database: Database, job_id: int, owner: str, settings: Settings, draining: Callable[[], float | None]
) -> Iterator[HeldJob | None]:
    """Claim the job, commit the attempt, and yield the job; yield None if it cannot be claimed.

    An exception in the body is recorded as one transition, as soon as the database is available. If the
    database stays away during a shutdown, DatabaseUnavailable is raised: the lease then runs out, and the
    reconciler takes the job back. `draining` returns for how many seconds the worker has been shutting down,
    None while it is not.
    """
    term = dt.timedelta(seconds=settings.lease_seconds)
    lease = database.run(lambda s: jobs.claim(s, job_id, owner, term))
    if lease is None:
        yield None
        return
    held = HeldJob(database, lease, settings, draining)
    held.start()
    try:
        yield held
    except Exception as error:  # noqa: BLE001  (any error is recorded)
        held.end_with(error)
