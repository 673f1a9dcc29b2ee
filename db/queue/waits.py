"""Delays of queued jobs by transient causes, and recovery of the queue."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from db.core.clock import current_time
from db.core.schema import Job
from db.queue.failures import failure_values
from db.queue.reaping import reap_expired
from db.values import Problem
from db.vocabulary import JobState


@dataclass(frozen=True, slots=True)
class QueueRecovery:
    """Changes made by `recover_queue`, and the number of queued jobs.

    `sent` messages are sent again, `waiting` jobs wait no longer, `taken_back` jobs had an expired lease.
    """

    queued: int
    sent: int
    waiting: int
    taken_back: int


def delay_job(
    s: Session, job_id: int, problem: Problem, pause: dt.timedelta, *, now: dt.datetime | None = None
) -> None:
    """Delay a queued job, without claiming it, while a transient cause keeps this host from working.

    Its state stays the same, so there is no event. The wait counts from when the first job began to wait for
    the same cause.
    """
    now = now or current_time(s)
    began = s.scalar(
        select(func.min(Job.waiting_since)).where(
            Job.state == JobState.QUEUED, Job.failure_code == problem.code, Job.waiting_since.is_not(None)
        )
    )
    s.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == JobState.QUEUED)
        .values(
            not_before=now + pause,
            wait_reason=problem.reason,
            waiting_since=began or now,
            **failure_values(problem),
        )
        .execution_options(synchronize_session=False)
    )


def end_waits(s: Session, code: str | None = None) -> int:
    """End the delay of all jobs that wait for a transient cause, or for this one; return how many."""
    chosen = Job.waiting_since.is_not(None) if code is None else Job.failure_code == code
    return len(
        s.scalars(
            update(Job)
            .where(Job.state == JobState.QUEUED, Job.waiting_since.is_not(None), chosen)
            .values(not_before=None, wait_reason=None, waiting_since=None)
            .returning(Job.id)
            .execution_options(synchronize_session=False)
        ).all()
    )


def recover_queue(s: Session, *, now: dt.datetime | None = None) -> QueueRecovery:
    """Have every queued job sent again at once, and take back jobs with an expired lease."""
    now = now or current_time(s)
    found = inspect_queue(s, now=now)
    reap_expired(s, now=now)
    end_waits(s)
    s.execute(
        update(Job)
        .where(Job.state == JobState.QUEUED, Job.published_at.is_not(None))
        .values(published_at=None)
        .execution_options(synchronize_session=False)
    )
    return found


def inspect_queue(s: Session, *, now: dt.datetime | None = None) -> QueueRecovery:
    """Return what `recover_queue` would change; read-only."""
    now = now or current_time(s)
    queued = Job.state == JobState.QUEUED

    def count(*conditions: ColumnElement[bool]) -> int:
        return s.scalars(select(func.count()).select_from(Job).where(*conditions)).one()

    return QueueRecovery(
        queued=count(queued),
        sent=count(queued, Job.published_at.is_not(None)),
        waiting=count(queued, Job.waiting_since.is_not(None)),
        taken_back=count(Job.state == JobState.RUNNING, Job.lease_expires_at <= now),
    )
