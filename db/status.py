"""How the work stands as a whole."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Float, String, case, cast, func, select
from sqlalchemy.orm import Session

from db.clock import clock
from db.control import Pause, job_is_held, pauses
from db.file_states import file_state, over_live_files
from db.schema import Derivative, Job, Sighting
from db.vocabulary import FileState, JobState, Lane

THROUGHPUT_WINDOW: Final = dt.timedelta(minutes=15)
"""How far back the throughput, and with it the estimate of the time left, looks."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many queued jobs wait for the same thing; `reason` is None for those that only wait their turn.

    `code`, `remedy` and `since` belong to a passing cause, and are None for a pause or a rest. `next_at` is
    when the first of the jobs is tried again.
    """

    reason: str | None
    jobs: int
    code: str | None = None
    remedy: str | None = None
    since: dt.datetime | None = None
    next_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was finished within the last `window`."""

    window: dt.timedelta
    jobs: int
    megapixels: float


@dataclass(frozen=True, slots=True)
class Overview:
    """The work as a whole. Every state and lane is a key, with 0 where there is nothing.

    `eta` is the time that the unheld queued and running pixels take at the throughput of the window; None
    when nothing was finished within it.
    """

    at: dt.datetime
    files: Mapping[FileState, int]
    collections: Mapping[str, Mapping[FileState, int]]
    jobs: Mapping[Lane, Mapping[JobState, int]]
    waiting: tuple[Waiting, ...]
    throughput: Throughput
    eta: dt.timedelta | None
    oldest_queued_at: dt.datetime | None
    paused: tuple[Pause, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """A job that somebody works on now."""

    job_id: int
    scan_id: int
    display: str
    lane: Lane
    owner: str
    attempt: int
    stage: str | None
    done: int
    total: int
    started_at: dt.datetime
    heartbeat_at: dt.datetime
    lease_expires_at: dt.datetime
    cancel_requested: bool


def overview(s: Session, *, now: dt.datetime | None = None) -> Overview:
    """Return the counts, the queue, the throughput of the last 15 minutes and what it promises."""
    now = now or clock(s)
    collections = _files_by_collection(s)
    throughput = _throughput(s, now)
    return Overview(
        at=now,
        files={state: sum(counts[state] for counts in collections.values()) for state in FileState},
        collections=collections,
        jobs=_jobs_by_lane(s),
        waiting=_waiting(s, now),
        throughput=throughput,
        eta=_eta(s, throughput),
        oldest_queued_at=s.scalar(select(func.min(Job.queued_at)).where(Job.state == JobState.QUEUED)),
        paused=pauses(s),
    )


def waiting_for_causes(s: Session, *, now: dt.datetime | None = None) -> list[Waiting]:
    """Return what passing causes queued jobs wait for now."""
    return [waiting for waiting in _waiting(s, now or clock(s)) if waiting.code is not None]


def running(s: Session) -> list[Running]:
    """Return what is worked on now, oldest first."""
    name = (
        select(Sighting.display)
        .where(Sighting.scan_id == Job.scan_id)
        .order_by(Sighting.superseded_at.is_not(None), Sighting.id)
        .limit(1)
        .scalar_subquery()
    )
    rows = s.execute(
        select(
            Job.id,
            Job.scan_id,
            name,
            Job.lane,
            Job.lease_owner,
            Job.attempts,
            Job.progress_stage,
            Job.progress_done,
            Job.progress_total,
            Job.started_at,
            Job.heartbeat_at,
            Job.lease_expires_at,
            Job.cancel_requested,
        )
        .where(Job.state == JobState.RUNNING)
        .order_by(Job.started_at, Job.id)
    )
    return [Running(*row) for row in rows]


def _files_by_collection(s: Session) -> dict[str, dict[FileState, int]]:
    files = over_live_files(select(Sighting.collection, file_state().label("state"))).subquery()
    rows = s.execute(
        select(files.c.collection, files.c.state, func.count())
        .group_by(files.c.collection, files.c.state)
        .order_by(files.c.collection)
    )
    counts: dict[str, dict[FileState, int]] = {}
    for collection, state, count in rows:
        counts.setdefault(collection, dict.fromkeys(FileState, 0))[FileState(state)] = count
    return counts


def _jobs_by_lane(s: Session) -> dict[Lane, dict[JobState, int]]:
    counts = {lane: dict.fromkeys(JobState, 0) for lane in Lane}
    rows = s.execute(select(Job.lane, Job.state, func.count()).group_by(Job.lane, Job.state))
    for lane, state, count in rows:
        counts[lane][state] = count
    return counts


def _waiting(s: Session, now: dt.datetime) -> tuple[Waiting, ...]:
    reason = case(
        (job_is_held(), "the " + cast(Job.lane, String) + " lane is paused"),
        (Job.not_before > now, func.coalesce(Job.wait_reason, "it rests before the next attempt")),
    )
    passing = ~job_is_held() & (Job.not_before > now) & Job.waiting_since.is_not(None)
    waiting = (
        select(
            reason.label("reason"),
            case((passing, Job.failure_code)).label("code"),
            case((passing, Job.failure_remedy)).label("remedy"),
            case((passing, Job.waiting_since)).label("since"),
            case((passing, Job.not_before)).label("next_at"),
        )
        .where(Job.state == JobState.QUEUED)
        .subquery()
    )
    rows = s.execute(
        select(
            waiting.c.reason,
            func.count().label("jobs"),
            waiting.c.code,
            func.max(waiting.c.remedy),
            func.min(waiting.c.since),
            func.min(waiting.c.next_at),
        )
        .group_by(waiting.c.reason, waiting.c.code)
        .order_by(func.count().desc())
    )
    return tuple(Waiting(*row) for row in rows)


def _throughput(s: Session, now: dt.datetime) -> Throughput:
    """Count what was finished within the window, which begins no earlier than the work on it did."""
    jobs, pixels, began = s.execute(
        select(
            func.count(),
            func.sum(cast(Derivative.width, Float) * Derivative.height),
            func.min(Job.started_at),
        )
        .join(Job, Job.id == Derivative.job_id)
        .where(Derivative.created_at > now - THROUGHPUT_WINDOW, Derivative.created_at <= now)
    ).one()
    window = (
        THROUGHPUT_WINDOW
        if began is None
        else min(THROUGHPUT_WINDOW, max(now - began, dt.timedelta(seconds=1)))
    )
    return Throughput(window, jobs, (pixels or 0) / 1e6)


def _eta(s: Session, throughput: Throughput) -> dt.timedelta | None:
    """By the number of jobs: for all but plates a job costs the network's time, whatever its pixels."""
    if throughput.jobs == 0:
        return None
    waiting = (Job.state == JobState.RUNNING) | (Job.state == JobState.QUEUED) & ~job_is_held()
    left = s.scalar(select(func.count()).select_from(Job).where(waiting)) or 0
    return throughput.window * (left / throughput.jobs)
