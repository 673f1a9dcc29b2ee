"""What happens to one job from the claim to its end."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, select, update
from sqlalchemy.orm import Session

from db.catalog.derivatives import enter_derivative
from db.catalog.quarantine import lock_scan, quarantine_scan, release_scan
from db.catalog.sightings import mark_scan_gone
from db.core.clock import current_time
from db.core.schema import Derivative, Job, Recipe, Scan, Sighting
from db.core.transitions import move
from db.errors import LeaseLost, UnknownJob
from db.queue.delays import backoff, transient_delay
from db.queue.enqueue import failure_values, runnable
from db.queue.pauses import job_is_paused
from db.values import MASTER_CHANGED, MISSING_FILE, NewDerivative, Problem
from db.vocabulary import JobState, Lane, Outcome


@dataclass(frozen=True, slots=True)
class MasterFile:
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
    empty. `attempt` counts from 1. `display` names the file for people, though it may be gone.
    """

    job_id: int
    token: int
    attempt: int
    max_attempts: int
    owner: str
    scan_id: int
    scan_sha256: str
    display: str
    masters: tuple[MasterFile, ...]
    recipe_id: int
    recipe_body: Mapping[str, Any]
    fingerprint: str
    lane: Lane
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class PendingCommands:
    """What people want of a running job, as told at each heartbeat."""

    cancel_requested: bool
    paused: bool


def claim(
    s: Session, job_id: int, owner: str, lease: dt.timedelta, *, now: dt.datetime | None = None
) -> Lease | None:
    """Take a job that is queued, due and in no paused lane; None when it is not to be had. Counts an attempt.

    The caller commits before it begins to work. A job that another transaction is taking right now is passed
    over without waiting on PostgreSQL; on SQLite transactions that write take turns anyway.
    """
    now = now or current_time(s)
    free = (
        select(Job.id)
        .where(Job.id == job_id, Job.state == JobState.QUEUED, runnable(now))
        .with_for_update(skip_locked=True, key_share=True)
        .scalar_subquery()
    )
    taken = move(
        s,
        JobState.QUEUED,
        JobState.RUNNING,
        Job.id == free,
        now=now,
        values={"lease_owner": owner, "lease_expires_at": now + lease},
        detail={"owner": owner},
    )
    return _lease(s, job_id) if taken else None


def job_scan_paths(s: Session, job_id: int) -> list[bytes]:
    """Return the paths at which a job's scan was ever seen."""
    seen = select(Sighting.path).join(Job, Job.scan_id == Sighting.scan_id).where(Job.id == job_id)
    return list(s.scalars(seen.distinct()))


def job_file_names(s: Session, job_ids: Iterable[int]) -> dict[int, str]:
    """Return the names, for people, of the files that jobs work on; of a job that is not on record none."""
    named = select(Job.id, job_file_name()).where(Job.id.in_(list(job_ids)))
    return {job_id: display for job_id, display in s.execute(named) if display is not None}


def job_file_name() -> ScalarSelect[Any]:
    """Name the file of a job: the first one that is there, else the first one that was."""
    return (
        select(Sighting.display)
        .where(Sighting.scan_id == Job.scan_id)
        .order_by(Sighting.superseded_at.is_not(None), Sighting.gone_at.is_not(None), Sighting.id)
        .limit(1)
        .correlate(Job)
        .scalar_subquery()
    )


def heartbeat(
    s: Session,
    lease: Lease,
    stage: str,
    done: int,
    total: int,
    *,
    extend: dt.timedelta,
    now: dt.datetime | None = None,
) -> PendingCommands:
    """Note progress, extend the lease and hear what is wanted. Raises `LeaseLost`.

    A lease that ran out and that nobody took is good again: the token keeps two workers apart, not the clock.
    """
    now = now or current_time(s)
    wanted = s.execute(
        update(Job)
        .where(_holds(lease))
        .values(
            heartbeat_at=now,
            lease_expires_at=now + extend,
            progress_stage=stage,
            progress_done=done,
            progress_total=total,
        )
        .returning(Job.cancel_requested)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if wanted is None:
        raise _lost(s, lease)
    paused = s.scalar(select(job_is_paused()).where(Job.id == lease.job_id).select_from(Job))
    return PendingCommands(cancel_requested=wanted.cancel_requested, paused=bool(paused))


def finish(s: Session, lease: Lease, record: NewDerivative, *, now: dt.datetime | None = None) -> int:
    """Record the derivative and end the job as done; return the derivative's id.

    The same call again, by one who never heard the answer to the first, returns the same id. Raises
    `LeaseLost`, and `DerivativeExists` when another derivative was written to the same place.
    """
    now = now or current_time(s)
    lock_scan(s, lease.scan_id)
    if not _leave(s, lease, JobState.DONE, now=now, detail={"seconds": record.seconds}):
        known = s.scalar(
            select(Derivative.id)
            .join(Job, Job.id == Derivative.job_id)
            .where(
                Derivative.job_id == lease.job_id,
                Derivative.sha256 == record.sha256,
                Derivative.path == record.path,
                Job.lease_token == lease.token,
            )
        )
        if known is None:
            raise _lost(s, lease)
        return known
    derivative_id = enter_derivative(
        s,
        record,
        job_id=lease.job_id,
        scan_id=lease.scan_id,
        recipe_id=lease.recipe_id,
        fingerprint=lease.fingerprint,
        now=now,
    )
    release_scan(s, lease.scan_id, "a derivative was made of it", now=now)
    return derivative_id


def fail(
    s: Session, lease: Lease, problem: Problem, *, quarantine: bool, now: dt.datetime | None = None
) -> bool:
    """End the job as failed; quarantine its scan if told so and nothing was ever made of it. Tell if it was.

    A file that was missing is noted as gone, so that it is news when it is back. Raises `LeaseLost`.
    """
    now = now or current_time(s)
    lock_scan(s, lease.scan_id)
    _end_badly(s, lease, JobState.FAILED, problem, now=now)
    if problem.code == MISSING_FILE:
        mark_scan_gone(s, lease.scan_id, now=now)
    return quarantine and quarantine_scan(s, lease.scan_id, problem, now=now)


def fail_attempt(s: Session, lease: Lease, problem: Problem, *, now: dt.datetime | None = None) -> JobState:
    """Spend the attempt: queued again with a growing delay, or failed after the last one.

    A scan that failed for good and that nothing was ever made of is quarantined. Raises `LeaseLost`.
    """
    now = now or current_time(s)
    if lease.attempt >= lease.max_attempts:
        fail(s, lease, problem, quarantine=True, now=now)
        return JobState.FAILED
    return _put_back(s, lease, problem, now=now, not_before=now + backoff(lease.attempt), spent=True)


def retry_later(s: Session, lease: Lease, problem: Problem, *, now: dt.datetime | None = None) -> JobState:
    """Put the job back and give its attempt back (disk full, engine missing); it rests longer each time.

    Returns `queued`, or `end_cancelled` when that was asked for meanwhile. Raises `LeaseLost`.
    """
    now = now or current_time(s)
    same_cause = (Job.id == lease.job_id) & (Job.failure_code == problem.code)
    since = s.scalar(select(Job.waiting_since).where(same_cause)) or now
    return _put_back(
        s,
        lease,
        problem,
        now=now,
        not_before=now + transient_delay(now - since),
        spent=False,
        waiting_since=since,
    )


def requeue(s: Session, lease: Lease, reason: str, *, now: dt.datetime | None = None) -> JobState:
    """Put the job back at once and give its attempt back (drain, pause).

    Returns `queued`, or `end_cancelled` when that was asked for meanwhile. Raises `LeaseLost`.
    """
    now = now or current_time(s)
    return _put_back(s, lease, None, now=now, wait_reason=reason, spent=False)


def supersede(s: Session, lease: Lease, reason: str, *, now: dt.datetime | None = None) -> None:
    """End the job as cancelled because the file now holds other bytes; their return queues it again.

    Raises `LeaseLost`.
    """
    problem = Problem(MASTER_CHANGED, reason, "nothing to do: the new content has a job of its own")
    _end_badly(s, lease, JobState.CANCELLED, problem, now=now or current_time(s))


def end_cancelled(s: Session, lease: Lease, *, now: dt.datetime | None = None) -> None:
    """End the job as cancelled, as was asked. Raises `LeaseLost`."""
    _end_badly(s, lease, JobState.CANCELLED, CANCELLED_BY_COMMAND, now=now or current_time(s))


CANCELLED_BY_COMMAND = Problem("cancelled", "a person cancelled it", "run `saek retry` to queue it again")
"""Why a job is cancelled that nothing else stopped."""


def _holds(lease: Lease) -> ColumnElement[bool]:
    return (Job.id == lease.job_id) & (Job.state == JobState.RUNNING) & (Job.lease_token == lease.token)


def _leave(
    s: Session,
    lease: Lease,
    after: JobState,
    *,
    now: dt.datetime,
    condition: ColumnElement[bool] | None = None,
    values: Mapping[str, Any] | None = None,
    outcome: Outcome = Outcome.SUCCESS,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    held = _holds(lease) if condition is None else _holds(lease) & condition
    detail = {"owner": lease.owner, **(detail or {})}
    return bool(
        move(s, JobState.RUNNING, after, held, now=now, values=values, outcome=outcome, detail=detail)
    )


def _end_badly(s: Session, lease: Lease, after: JobState, problem: Problem, *, now: dt.datetime) -> None:
    outcome = Outcome.FAIL if after is JobState.FAILED else Outcome.WARNING
    detail = {"code": problem.code, "reason": problem.reason}
    if not _leave(s, lease, after, now=now, values=failure_values(problem), outcome=outcome, detail=detail):
        raise _lost(s, lease)


def _put_back(
    s: Session,
    lease: Lease,
    problem: Problem | None,
    *,
    now: dt.datetime,
    spent: bool,
    not_before: dt.datetime | None = None,
    wait_reason: str | None = None,
    waiting_since: dt.datetime | None = None,
) -> JobState:
    """Return the job to the queue, or cancel it where that was asked for while it ran."""
    reason = problem.reason if problem else wait_reason
    values: dict[str, Any] = {
        "not_before": not_before,
        "wait_reason": reason,
        "waiting_since": waiting_since,
    }
    detail: dict[str, Any] = {"reason": reason}
    if problem:
        values |= failure_values(problem)
        detail["code"] = problem.code
    if not spent:
        values["attempts"] = Job.attempts - 1
    wanted = Job.cancel_requested.is_(False)
    if _leave(
        s,
        lease,
        JobState.QUEUED,
        now=now,
        condition=wanted,
        values=values,
        outcome=Outcome.FAIL if spent else Outcome.WARNING,
        detail=detail,
    ):
        return JobState.QUEUED
    end_cancelled(s, lease, now=now)
    return JobState.CANCELLED


def _lost(s: Session, lease: Lease) -> LeaseLost | UnknownJob:
    job = s.execute(
        select(Job.state, Job.lease_token, Job.lease_owner).where(Job.id == lease.job_id)
    ).one_or_none()
    if job is None:
        return UnknownJob(f"there is no job {lease.job_id}", "see that the right database is open")
    holder = f", held by {job.lease_owner}" if job.lease_owner else ""
    return LeaseLost(
        f"job {lease.job_id} is no longer held by {lease.owner} (it is {job.state}{holder})",
        "drop the work; nothing of it was recorded",
    )


def _lease(s: Session, job_id: int) -> Lease:
    """Read the job with its masters; all in one question, since a claim is what workers wait for."""
    there = (Sighting.scan_id == Job.scan_id) & Sighting.superseded_at.is_(None) & Sighting.gone_at.is_(None)
    rows = s.execute(
        select(
            Job.lease_token,
            Job.attempts,
            Job.max_attempts,
            Job.lease_owner,
            Job.lease_expires_at,
            Job.lane,
            Job.scan_id,
            Scan.sha256,
            job_file_name().label("name"),
            Recipe.id.label("recipe_id"),
            Recipe.body,
            Recipe.fingerprint,
            Sighting.root,
            Sighting.path,
            Sighting.display,
            Sighting.size,
            Sighting.mtime_ns,
        )
        .join(Scan, Scan.id == Job.scan_id)
        .join(Recipe, Recipe.id == Job.recipe_id)
        .outerjoin(Sighting, there)
        .where(Job.id == job_id)
        .order_by(Sighting.last_seen_at.desc(), Sighting.id.desc())
    ).all()
    job = rows[0]
    return Lease(
        job_id=job_id,
        token=job.lease_token,
        attempt=job.attempts,
        max_attempts=job.max_attempts,
        owner=job.lease_owner,
        scan_id=job.scan_id,
        scan_sha256=job.sha256,
        display=job.name or f"scan:{job.scan_id}",
        masters=tuple(
            MasterFile(row.root, row.path, row.display, row.size, row.mtime_ns)
            for row in rows
            if row.root is not None
        ),
        recipe_id=job.recipe_id,
        recipe_body=job.body,
        fingerprint=job.fingerprint,
        lane=job.lane,
        expires_at=job.lease_expires_at,
    )
