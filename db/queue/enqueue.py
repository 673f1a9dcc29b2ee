"""Which jobs wait, which must be sent, and which were lost on the way."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from db.catalog.quarantine import lock_scan, quarantine_scan
from db.core import events
from db.core.clock import current_time
from db.core.schema import Job, Recipe, Scan
from db.core.transitions import move
from db.core.upsert import insert_missing
from db.errors import UnknownRecipe, UnknownScan
from db.queue.delays import LONGEST_DELAY, backoff
from db.queue.pauses import job_is_paused
from db.values import SAEK, AgentName, Problem
from db.vocabulary import JobState, Lane, Outcome

MAX_ATTEMPTS: Final = 3
"""How often a job is tried before it fails for good."""

WORKER_DIED: Final = "worker-died"
"""Failure code of a job whose worker process was not heard of any more."""

IS_QUEUED: Final = Job.state == bindparam(None, JobState.QUEUED, literal_execute=True)
"""That a job waits; written out, since for a parameter no planner takes an index of queued jobs alone."""

_WORKER_DIED_REMEDY: Final = (
    "look in the worker's log for lack of memory or a time limit, then run `saek retry`"
)


@dataclass(frozen=True, slots=True)
class Enqueued:
    """The job of a scan and a recipe, and whether it was made just now."""

    job_id: int
    created: bool


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of life of the worker that holds a job, and how long its lease was from then on."""

    job_id: int
    token: int
    heartbeat_at: dt.datetime
    lease: dt.timedelta


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
    agent: AgentName = SAEK,
    now: dt.datetime | None = None,
) -> Enqueued:
    """Return the job of this scan and recipe, made if there is none; one that exists is left as it is.

    Raises `UnknownScan` and `UnknownRecipe`.
    """
    if s.scalar(select(Scan.id).where(Scan.id == scan_id)) is None:
        raise UnknownScan(f"there is no scan {scan_id}", "list the files with `saek status`")
    if new := enqueue_all(s, [scan_id], recipe_id, lane, requested_by, agent=agent, now=now):
        return Enqueued(new[0], created=True)
    existing = select(Job.id).where(Job.scan_id == scan_id, Job.recipe_id == recipe_id)
    return Enqueued(s.scalars(existing).one(), created=False)


def enqueue_all(
    s: Session,
    scan_ids: Sequence[int],
    recipe_id: int,
    lane: Lane,
    requested_by: str,
    *,
    agent: AgentName = SAEK,
    now: dt.datetime | None = None,
) -> list[int]:
    """Make a job for each scan (a thousand at most) that has none with this recipe; return the new jobs.

    Raises `UnknownRecipe`.
    """
    now = now or current_time(s)
    if s.scalar(select(Recipe.id).where(Recipe.id == recipe_id)) is None:
        raise UnknownRecipe(f"there is no recipe {recipe_id}", "enter it with `ensure_recipe` first")
    jobs = [
        {
            "scan_id": scan_id,
            "recipe_id": recipe_id,
            "state": JobState.QUEUED,
            "lane": lane,
            "attempts": 0,
            "max_attempts": MAX_ATTEMPTS,
            "requested_by": requested_by,
            "created_at": now,
            "queued_at": now,
            "lease_token": 0,
            "progress_done": 0,
            "progress_total": 0,
            "cancel_requested": False,
        }
        for scan_id in scan_ids
    ]
    new = insert_missing(s, Job, jobs, ("scan_id", "recipe_id"))
    made = s.execute(select(Job.id, Job.scan_id).where(Job.id.in_(new)).order_by(Job.id)).all()
    events.append(
        s,
        (
            events.job_change(
                job_id, scan_id, None, JobState.QUEUED, agent=agent, lane=lane, requested_by=requested_by
            )
            for job_id, scan_id in made
        ),
        at=now,
    )
    return [job_id for job_id, _ in made]


def runnable(now: dt.datetime) -> ColumnElement[bool]:
    """Return the condition that a queued job may be worked on: it is due and its lane is not held.

    What would be due too far from now was put off before the clock was turned back, and is due.
    """
    due = or_(Job.not_before.is_(None), Job.not_before <= now, Job.not_before > now + LONGEST_DELAY)
    return due & ~job_is_paused()


def unpublished(
    s: Session, lane: Lane, limit: int, republish_after: dt.timedelta, *, now: dt.datetime | None = None
) -> list[int]:
    """Return jobs of a lane to send, oldest first: queued, due, not held, never or long ago sent.

    One that was sent in the future was sent before the clock was turned back, and counts as long ago.
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
    """Return how many of these jobs wait no longer: somebody claimed them, or they ended."""
    begun = select(func.count()).select_from(Job).where(Job.id.in_(ids), Job.state != JobState.QUEUED)
    return s.scalars(begun).one() if ids else 0


def mark_published(s: Session, ids: Iterable[int], *, now: dt.datetime | None = None) -> int:
    """Note that messages were sent; return how many of the jobs are still queued.

    Sent first and noted after, a message can be sent twice, which a claim forgives, but not be forgotten.
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
    """Forget all sent messages, for a broker that lost its data; return how many jobs will be sent again."""
    statement = (
        update(Job)
        .where(Job.state == JobState.QUEUED, Job.published_at.is_not(None))
        .values(published_at=None)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    )
    return len(s.scalars(statement).all())


def last_heartbeats(s: Session) -> list[Heartbeat]:
    """Return the last sign of life of every worker at work."""
    rows = s.execute(
        select(Job.id, Job.lease_token, Job.heartbeat_at, Job.lease_expires_at).where(
            Job.state == JobState.RUNNING
        )
    )
    return [Heartbeat(job, token, seen, expires - seen) for job, token, seen, expires in rows]  # type: ignore[arg-type,operator]  # a claim sets both


def reap_silent(s: Session, signs: Iterable[Heartbeat], *, now: dt.datetime | None = None) -> list[Reaped]:
    """Take back the jobs whose workers gave no sign of life after these; as `reap_expired` else."""
    now = now or current_time(s)
    return [
        reaped
        for sign in sorted(signs, key=lambda sign: sign.job_id)
        for reaped in _take_back(
            s,
            (Job.id == sign.job_id)
            & (Job.lease_token == sign.token)
            & (Job.heartbeat_at == sign.heartbeat_at),
            now,
        )
    ]


def reap_expired(s: Session, *, now: dt.datetime | None = None) -> list[Reaped]:
    """Take back jobs whose lease ran out: queued, cancelled if so asked, failed after the last try."""
    now = now or current_time(s)
    return _take_back(s, Job.lease_expires_at <= now, now)


def _take_back(s: Session, lost: ColumnElement[bool], now: dt.datetime) -> list[Reaped]:
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
            # The first death is most often the machine's; a file that kills again must leave room for others.
            rest = now + backoff(job.attempts - 1) if job.attempts > 1 else None
            values |= {"wait_reason": problem.reason, "not_before": rest}
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
            continue  # its worker was heard of in the meantime
        reaped.append(Reaped(job.id, outcome))
        if outcome is JobState.FAILED:
            quarantine_scan(s, job.scan_id, problem, now=now)
    return reaped


def failure_values(problem: Problem) -> dict[str, str]:
    """Return the job columns that hold a problem."""
    return {
        "failure_code": problem.code,
        "failure_reason": problem.reason,
        "failure_remedy": problem.remedy,
    }


def _death_reason(attempts: int, last_code: str | None, last_reason: str | None) -> str:
    died = "the worker process died while working on this scan"
    if last_code in {None, WORKER_DIED}:
        return f"{died}, {attempts} times" if attempts > 1 else died
    return f"{died}; the attempt before failed because {last_reason}"
