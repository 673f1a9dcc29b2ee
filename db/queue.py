"""Which jobs wait, which must be sent, and which were lost on the way."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from db.values import SAEK, Agent
from db.vocabulary import JobState, Lane


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The job of a scan and a recipe, and whether it was made just now."""

    job_id: int
    created: bool


@dataclass(frozen=True, slots=True)
class Publishable:
    """A job that a message should be sent for."""

    job_id: int
    lane: Lane


@dataclass(frozen=True, slots=True)
class Reaped:
    """A job whose worker was not heard of any more, and what became of it."""

    job_id: int
    outcome: JobState


def enqueue(
    s: Session,
    scan_id: int,
    recipe_id: int,
    lane: Lane,
    requested_by: str,
    *,
    agent: Agent = SAEK,
    now: dt.datetime | None = None,
) -> Enqueued:
    """Return the job of this scan and recipe, made if there is none."""
    raise NotImplementedError


def unpublished(
    s: Session, limit: int, republish_after: dt.timedelta, *, now: dt.datetime | None = None
) -> list[Publishable]:
    """Return jobs to send: queued, due, lane not paused, never or long ago sent; interactive, then oldest."""
    raise NotImplementedError


def mark_published(s: Session, ids: Iterable[int], *, now: dt.datetime | None = None) -> int:
    """Note that messages were sent; return how many of the jobs are still queued."""
    raise NotImplementedError


def reset_published(s: Session) -> int:
    """Forget all sent messages, for a broker that lost its data; return how many jobs will be sent again."""
    raise NotImplementedError


def reap_expired(s: Session, *, now: dt.datetime | None = None) -> list[Reaped]:
    """Take back jobs whose lease ran out: queued, cancelled if so asked, failed after the last try."""
    raise NotImplementedError
