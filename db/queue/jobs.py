"""State changes of one job from its claim to its end."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from db.catalog.derivatives import enter_derivative
from db.catalog.quarantine import lock_scan, quarantine_scan, release_scan
from db.catalog.sightings import mark_scan_gone
from db.core.clock import current_time
from db.core.schema import Derivative, Job
from db.core.transitions import move
from db.errors import LeaseLost, UnknownJob
from db.queue.delays import backoff, transient_delay
from db.queue.failures import CANCELLED_BY_COMMAND, failure_values
from db.queue.leases import Lease, PendingCommands, read_lease
from db.queue.pauses import job_is_paused
from db.queue.publishing import runnable
from db.values import MASTER_CHANGED, MISSING_FILE, NewDerivative, Problem
from db.vocabulary import JobState, Outcome


def claim(
    s: Session, job_id: int, owner: str, lease: dt.timedelta, *, now: dt.datetime | None = None
) -> Lease | None:
    """Claim a job that is queued, due and not paused; None if that is not possible. Counts an attempt.

    The caller commits before it starts to work. On PostgreSQL a job that another transaction is claiming is
    skipped without waiting; on SQLite write transactions take turns anyway.
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
    return read_lease(s, job_id) if taken else None


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
    """Record progress, extend the lease and return pending commands. Raises `LeaseLost`.

    An expired lease that was not taken is valid again: the token keeps two workers apart, not the clock.
    """
    now = now or current_time(s)
    running = s.execute(
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
    if running is None:
        raise _lost(s, lease)
    paused = s.scalar(select(job_is_paused()).where(Job.id == lease.job_id).select_from(Job))
    return PendingCommands(cancel_requested=running.cancel_requested, paused=bool(paused))


def finish(s: Session, lease: Lease, record: NewDerivative, *, now: dt.datetime | None = None) -> int:
    """Enter the derivative and end the job as done; return the id of the derivative.

    Idempotent: a caller that lost the answer repeats the call and gets the same id. Raises `LeaseLost`, and
    `DerivativeExists` if another derivative has the same path.
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
    """End the job as failed; return whether its scan was quarantined.

    With `quarantine`, a scan without any derivative is quarantined. A missing file is marked as gone, so that
    its return is noticed. Raises `LeaseLost`.
    """
    now = now or current_time(s)
    lock_scan(s, lease.scan_id)
    _end_unsuccessfully(s, lease, JobState.FAILED, problem, now=now)
    if problem.code == MISSING_FILE:
        mark_scan_gone(s, lease.scan_id, now=now)
    return quarantine and quarantine_scan(s, lease.scan_id, problem, now=now)


def fail_attempt(s: Session, lease: Lease, problem: Problem, *, now: dt.datetime | None = None) -> JobState:
    """Spend the attempt: queue the job again with a growing delay, or fail it after the last attempt.

    A failed scan without any derivative is quarantined. Raises `LeaseLost`.
    """
    now = now or current_time(s)
    if lease.attempt >= lease.max_attempts:
        fail(s, lease, problem, quarantine=True, now=now)
        return JobState.FAILED
    return _queue_again(s, lease, problem, now=now, not_before=now + backoff(lease.attempt), spent=True)


def retry_later(s: Session, lease: Lease, problem: Problem, *, now: dt.datetime | None = None) -> JobState:
    """Queue the job again without spending the attempt (disk full, engine missing), with a growing delay.

    Returns `queued`, or `cancelled` if that was requested meanwhile. Raises `LeaseLost`.
    """
    now = now or current_time(s)
    same_cause = (Job.id == lease.job_id) & (Job.failure_code == problem.code)
    since = s.scalar(select(Job.waiting_since).where(same_cause)) or now
    return _queue_again(
        s,
        lease,
        problem,
        now=now,
        not_before=now + transient_delay(now - since),
        spent=False,
        waiting_since=since,
    )


def requeue(s: Session, lease: Lease, reason: str, *, now: dt.datetime | None = None) -> JobState:
    """Queue the job again at once without spending the attempt (drain, pause).

    Returns `queued`, or `cancelled` if that was requested meanwhile. Raises `LeaseLost`.
    """
    now = now or current_time(s)
    return _queue_again(s, lease, None, now=now, wait_reason=reason, spent=False)


def supersede(s: Session, lease: Lease, reason: str, *, now: dt.datetime | None = None) -> None:
    """Cancel the job because the file now holds other bytes; it is queued again when they are back.

    Raises `LeaseLost`.
    """
    problem = Problem(MASTER_CHANGED, reason, "nothing to do: the new content has a job of its own")
    _end_unsuccessfully(s, lease, JobState.CANCELLED, problem, now=now or current_time(s))


def end_cancelled(s: Session, lease: Lease, *, now: dt.datetime | None = None) -> None:
    """End the job as cancelled, as requested. Raises `LeaseLost`."""
    _end_unsuccessfully(s, lease, JobState.CANCELLED, CANCELLED_BY_COMMAND, now=now or current_time(s))


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


def _end_unsuccessfully(
    s: Session, lease: Lease, after: JobState, problem: Problem, *, now: dt.datetime
) -> None:
    outcome = Outcome.FAIL if after is JobState.FAILED else Outcome.WARNING
    detail = {"code": problem.code, "reason": problem.reason}
    if not _leave(s, lease, after, now=now, values=failure_values(problem), outcome=outcome, detail=detail):
        raise _lost(s, lease)


def _queue_again(
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
    """Queue the job again, or cancel it if that was requested while it ran."""
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
    not_cancelled = Job.cancel_requested.is_(False)
    if _leave(
        s,
        lease,
        JobState.QUEUED,
        now=now,
        condition=not_cancelled,
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
        return UnknownJob(
            reason=f"there is no job {lease.job_id}", remedy="check that the right database is open"
        )
    holder = f", held by {job.lease_owner}" if job.lease_owner else ""
    return LeaseLost(
        reason=f"job {lease.job_id} is no longer held by {lease.owner} (it is {job.state}{holder})",
        remedy="discard the work; nothing of it was recorded",
    )
