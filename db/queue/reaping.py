"""Taking back jobs whose workers died or lost their lease."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from db.catalog.quarantine import lock_scan, quarantine_scan
from db.core.clock import current_time
from db.core.schema import Job
from db.core.transitions import move
from db.queue.delays import backoff
from db.queue.failures import WORKER_DIED, failure_values
from db.values import Problem
from db.vocabulary import JobState, Outcome

_WORKER_DIED_REMEDY: Final = (
    "check the worker's log for lack of memory or a time limit, then run `saek retry`"
)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last heartbeat of the worker that holds a job, and how long its lease lasts from then on."""

    job_id: int
    token: int
    heartbeat_at: dt.datetime
    lease: dt.timedelta


@dataclass(frozen=True, slots=True)
class ReapedJob:
    """A job that was taken back from its worker, and its new state."""

    job_id: int
    outcome: JobState


def last_heartbeats(s: Session) -> list[Heartbeat]:
    """Return the last heartbeat of every running job."""
    rows = s.execute(
        select(Job.id, Job.lease_token, Job.heartbeat_at, Job.lease_expires_at).where(
            Job.state == JobState.RUNNING
        )
    )
    return [Heartbeat(job, token, seen, expires - seen) for job, token, seen, expires in rows]  # type: ignore[arg-type,operator]  # a claim sets both


def reap_unresponsive(
    s: Session, heartbeats: Iterable[Heartbeat], *, now: dt.datetime | None = None
) -> list[ReapedJob]:
    """Take back the jobs that had no heartbeat after these, in the same way as `reap_expired`."""
    now = now or current_time(s)
    return [
        reaped
        for heartbeat in sorted(heartbeats, key=lambda heartbeat: heartbeat.job_id)
        for reaped in _take_back(
            s,
            (Job.id == heartbeat.job_id)
            & (Job.lease_token == heartbeat.token)
            & (Job.heartbeat_at == heartbeat.heartbeat_at),
            now,
        )
    ]


def reap_expired(s: Session, *, now: dt.datetime | None = None) -> list[ReapedJob]:
    """Take back jobs whose lease has expired: queued, cancelled on request, failed after the last attempt."""
    now = now or current_time(s)
    return _take_back(s, Job.lease_expires_at <= now, now)


def _take_back(s: Session, lost: ColumnElement[bool], now: dt.datetime) -> list[ReapedJob]:
    found = s.execute(
        select(
            Job.id,
            Job.scan_id,
            Job.lease_token,
            Job.lease_owner,
            Job.attempts,
            Job.max_attempts,
            Job.cancel_requested,
            Job.failure_code,
            Job.failure_reason,
        )
        .where(Job.state == JobState.RUNNING, lost)
        .order_by(Job.scan_id, Job.id)
    ).all()
    reaped = []
    for job in found:
        problem = Problem(
            WORKER_DIED,
            _death_reason(job.attempts, job.failure_code, job.failure_reason),
            _WORKER_DIED_REMEDY,
        )
        spent = job.attempts >= job.max_attempts
        values: dict[str, Any] = {**failure_values(problem)}
        if job.cancel_requested:
            outcome = JobState.CANCELLED
        elif spent:
            outcome = JobState.FAILED
        else:
            outcome = JobState.QUEUED
            # The first death is mostly the machine's fault; a file that kills again must let others go first.
            not_before = now + backoff(job.attempts - 1) if job.attempts > 1 else None
            values |= {"wait_reason": problem.reason, "not_before": not_before}
        if outcome is JobState.FAILED:
            lock_scan(s, job.scan_id)
        same_lease = (Job.id == job.id) & (Job.lease_token == job.lease_token) & lost
        moved = move(
            s,
            JobState.RUNNING,
            outcome,
            same_lease,
            now=now,
            values=values,
            outcome=Outcome.FAIL,
            detail={"code": WORKER_DIED, "reason": problem.reason, "owner": job.lease_owner},
        )
        if not moved:
            continue  # a heartbeat came in the meantime
        reaped.append(ReapedJob(job.id, outcome))
        if outcome is JobState.FAILED:
            quarantine_scan(s, job.scan_id, problem, now=now)
    return reaped


def _death_reason(attempts: int, last_code: str | None, last_reason: str | None) -> str:
    died = "the worker process died while working on this scan"
    if last_code in {None, WORKER_DIED}:
        return f"{died}, {attempts} times" if attempts > 1 else died
    return f"{died}; the attempt before failed because {last_reason}"
