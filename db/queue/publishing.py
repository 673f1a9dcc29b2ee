"""Queued jobs that are to be sent to the broker."""

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from db.core.clock import current_time
from db.core.schema import Job
from db.queue.delays import LONGEST_DELAY
from db.queue.pauses import job_is_paused
from db.vocabulary import JobState, Lane

IS_QUEUED: Final = Job.state == bindparam(None, JobState.QUEUED, literal_execute=True)
"""Condition of a queued job, as a literal: with a parameter, no planner uses the partial index."""


def runnable(now: dt.datetime) -> ColumnElement[bool]:
    """Return the condition that a queued job may run: it is due and its lane is not paused.

    A job that would be due too far in the future was delayed before the clock was turned back, and is due.
    """
    due = or_(Job.not_before.is_(None), Job.not_before <= now, Job.not_before > now + LONGEST_DELAY)
    return due & ~job_is_paused()


def unpublished(
    s: Session, lane: Lane, limit: int, republish_after: dt.timedelta, *, now: dt.datetime | None = None
) -> list[int]:
    """Return jobs of a lane to send, oldest first: queued, due, not paused, and not sent recently.

    A job that was sent in the future was sent before the clock was turned back: that is not recently.
    """
    now = now or current_time(s)
    rows = s.scalars(
        select(Job.id)
        .where(
            IS_QUEUED,
            Job.lane == lane,
            runnable(now),
            or_(
                Job.published_at.is_(None),
                Job.published_at <= now - republish_after,
                Job.published_at > now + republish_after,
            ),
        )
        .order_by(Job.created_at, Job.id)
        .limit(limit)
    )
    return list(rows)


def count_started(s: Session, ids: Collection[int]) -> int:
    """Return how many of these jobs are no longer queued."""
    begun = select(func.count()).select_from(Job).where(Job.id.in_(ids), Job.state != JobState.QUEUED)
    return s.scalars(begun).one() if ids else 0


def mark_published(s: Session, ids: Iterable[int], *, now: dt.datetime | None = None) -> int:
    """Note that the messages of jobs were sent; return how many of the jobs are still queued.

    Called after sending: a message may be sent twice, which a claim tolerates, but it is never lost.
    """
    now = now or current_time(s)
    statement = (
        update(Job)
        .where(Job.id.in_(list(ids)), Job.state == JobState.QUEUED)
        .values(published_at=now)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return len(s.scalars(statement).all())


def reset_published(s: Session) -> int:
    """Mark all queued jobs as not sent, for a broker that lost its data; return how many."""
    statement = (
        update(Job)
        .where(Job.state == JobState.QUEUED, Job.published_at.is_not(None))
        .values(published_at=None)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return len(s.scalars(statement).all())
