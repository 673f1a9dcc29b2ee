"""What happens to one job from the claim to its end."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db.values import DerivativeRecord, Problem
from db.vocabulary import JobState, Lane


@dataclass(frozen=True, slots=True)
class Master:
    """One place where the bytes of a scan were last seen."""

    root: str
    path: bytes
    display: str
    size: int | None
    mtime_ns: int | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one job until `expires_at`; `token` fences off whoever held it before.

    `masters` holds every place where the bytes were seen and not known to be gone, newest first; it may be
    empty. `attempt` counts from 1.
    """

    job_id: int
    token: int
    attempt: int
    max_attempts: int
    owner: str
    scan_id: int
    scan_sha256: str
    masters: tuple[Master, ...]
    recipe_id: int
    recipe_body: Mapping[str, Any]
    fingerprint: str
    lane: Lane
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Control:
    """What people want of a running job, as told at each heartbeat."""

    cancel_requested: bool
    paused: bool


def claim(
    s: Session, job_id: int, owner: str, lease: dt.timedelta, *, now: dt.datetime | None = None
) -> Lease | None:
    """Take a job that is queued, due and in no paused lane; None when it is not to be had. Counts an attempt.

    The caller commits before it begins to work.
    """
    raise NotImplementedError


def heartbeat(
    s: Session,
    lease: Lease,
    stage: str,
    done: int,
    total: int,
    *,
    extend: dt.timedelta,
    now: dt.datetime | None = None,
) -> Control:
    """Note progress, extend the lease and hear what is wanted. Raises `LeaseLost`."""
    raise NotImplementedError


def finish(s: Session, lease: Lease, record: DerivativeRecord, *, now: dt.datetime | None = None) -> int:
    """Record the derivative and end the job as done; return the derivative's id. Raises `LeaseLost`."""
    raise NotImplementedError


def fail(
    s: Session, lease: Lease, problem: Problem, *, quarantine: bool, now: dt.datetime | None = None
) -> None:
    """End the job as failed; quarantine its scan if told so and nothing was ever made of it."""
    raise NotImplementedError


def fail_attempt(s: Session, lease: Lease, problem: Problem, *, now: dt.datetime | None = None) -> JobState:
    """Spend the attempt: queued again with a growing delay, or failed after the last one."""
    raise NotImplementedError


def retry_later(
    s: Session, lease: Lease, problem: Problem, delay: dt.timedelta, *, now: dt.datetime | None = None
) -> JobState:
    """Put the job back for `delay` and give its attempt back (disk full, engine missing)."""
    raise NotImplementedError


def yield_back(s: Session, lease: Lease, reason: str, *, now: dt.datetime | None = None) -> JobState:
    """Put the job back at once and give its attempt back (drain, pause)."""
    raise NotImplementedError


def supersede(s: Session, lease: Lease, reason: str, *, now: dt.datetime | None = None) -> None:
    """End the job as cancelled because the file now holds other bytes; their return queues it again."""
    raise NotImplementedError


def cancelled(s: Session, lease: Lease, *, now: dt.datetime | None = None) -> None:
    """End the job as cancelled, as was asked."""
    raise NotImplementedError
