"""What queued jobs wait for that nobody has claimed, and how the queue is put right."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.core.clock import current_time
from db.core.schema import Job
from db.queue.enqueue import failure_values, reap_expired
from db.values import Problem
from db.vocabulary import JobState


@dataclass(frozen=True, slots=True)
class QueueRecovery:
    """What `recover_queue` found: all jobs that wait, and what was in their way.

    `sent` messages are forgotten, so that each is sent again; `waiting` jobs rest no longer; `taken_back` are
    those whose worker fell silent.
    """

    queued: int
    sent: int
    waiting: int
    taken_back: int


def delay_job(
    s: Session, job_id: int, problem: Problem, pause: dt.timedelta, *, now: dt.datetime | None = None
) -> None:
    """Have a queued job wait a while for a cause that keeps this host from any work; it was not claimed.

    It stays in its state, so there is no event. The wait began when the first job that waits for the same
    cause began to wait.
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
    """End the rest of all queued jobs that wait for a passing cause, or for this one; return how many."""
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
    """Have every queued job sent anew at once, and take back those of silent workers."""
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
    """Return what `recover_queue` would do; only reads."""
    now = now or current_time(s)
    queued = Job.state == JobState.QUEUED

    def count(*conditions: object) -> int:
        return s.scalar(select(func.count()).select_from(Job).where(*conditions)) or 0  # type: ignore[arg-type]

    return QueueRecovery(
        queued=count(queued),
        sent=count(queued, Job.published_at.is_not(None)),
        waiting=count(queued, Job.waiting_since.is_not(None)),
        taken_back=count(Job.state == JobState.RUNNING, Job.lease_expires_at <= now),
    )
