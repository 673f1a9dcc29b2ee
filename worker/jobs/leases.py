"""How a job is held while it is worked on: claimed, kept alive, ended in one recorded step."""

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

_LONGEST_PAUSE = 5.0

T = TypeVar("T")

_log = structlog.get_logger()


class WorkInterrupted(Exception):
    """The work was stopped from outside: cancelled, paused, or the worker shuts down."""


class JobCancelled(WorkInterrupted):
    """Somebody asked for the job to be cancelled."""


class JobYielded(WorkInterrupted):
    """The job goes back to the queue: its lane is paused or the worker drains."""


class HeldJob:
    """A claimed job, whose `log` names job and file.

    `report_progress` is given to the restoration; a thread keeps the lease alive meanwhile.
    """

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
        """Note progress; raise Cancelled, Yielded or LeaseLost when the work must stop."""
        self._progress = progress
        drained_for = self._draining()
        if drained_for is not None and drained_for >= self._drain_seconds:
            raise JobYielded("the worker shuts down")
        if self._stop is not None:
            raise self._stop

    def finish(self, record: NewDerivative, publish: Callable[[Session], None]) -> int:
        """Record the derivative; `publish` names the file once the fencing token has held, before the commit.

        A database that is away is waited for: the work is done. Raises LeaseLost if somebody else holds the
        job: the file keeps its draft name then.
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

        return self._when_there(record_it)

    def start(self) -> None:
        """Begin to keep the lease alive."""
        self._thread.start()

    def _end(self) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def settle(self, error: Exception) -> None:
        """Turn what ended the work into one recorded transition; of a lost lease nothing is recorded."""
        self._end()
        try:
            if isinstance(error, LeaseLost):
                raise error
            self._when_there(lambda: self._record(error))
        except LeaseLost as lost:
            self.log.warning("the lease was lost; the work is dropped", reason=lost.reason)

    def _when_there(self, step: Callable[[], T]) -> T:
        """Do `step`, again and again while the database is away, unless the worker shuts down.

        As often as a sign of life is given, of which it is the last: once the database is back, others hear
        of the work before they give it up.
        """
        longest = min(_LONGEST_PAUSE, self._extend.total_seconds() / 6)
        pause = min(0.5, longest)
        while True:
            try:
                return step()
            except DatabaseUnavailable as away:
                if self._draining() is not None:
                    raise
                self.log.warning("waiting", code=away.code, reason=away.reason)
                time.sleep(pause)
                pause = min(2 * pause, longest)

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
                    became = "quarantined" if quarantined else "failed"  # not if there are older derivatives
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
                        remedy="Look for this job in the worker's log, then run: saek retry",
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
                continue  # while nobody can claim, nobody can take the job; the token tells if somebody did
            if control.cancel_requested:
                self._stop = JobCancelled("cancelled as asked")
            elif control.paused:
                self._stop = JobYielded("the lane is paused")


@contextmanager
def claim(
    database: Database, job_id: int, owner: str, settings: Settings, draining: Callable[[], float | None]
) -> Iterator[HeldJob | None]:
    """Claim the job, commit the attempt, and yield it; None if it is not to be had.

    Whatever leaves the body becomes one transition in the record, as soon as the database is there. Only at a
    shutdown one that stays away leaves as an exception (DatabaseUnavailable): the lease then runs out and the
    reconciler takes the job back.
    `draining` tells for how many seconds the worker has been shutting down, None while it does not.
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
    except Exception as error:  # noqa: BLE001  (it is recorded, whatever it is)
        held.settle(error)
