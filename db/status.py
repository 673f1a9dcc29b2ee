"""How the work stands as a whole."""

import datetime as dt
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Float, cast, func, select
from sqlalchemy.orm import Session

from db.census import Census, Queued, Waiting, count_everything, count_queued, last_census, many_files
from db.clock import clock
from db.control import Pause, pauses
from db.schema import Derivative, Job, Sighting
from db.vocabulary import Basis, FileState, JobState, Lane

THROUGHPUT_WINDOW: Final = dt.timedelta(minutes=15)
"""How far back the throughput, and with it the estimate of the time left, looks."""

_LATEST: Final = 5_000
"""So many derivatives tell the throughput well enough; a large station makes more within the window."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was finished within the last `window`."""

    window: dt.timedelta
    jobs: int
    megapixels: float


@dataclass(frozen=True, slots=True)
class Overview:
    """The work as a whole. Every state and lane is a key, with 0 where there is nothing.

    Files, jobs, what they wait for and since when are as they were at `counted_at`; `basis` tells whether
    that is now. All else is of now. `eta` is the time that the unheld queued and running pixels take at the
    throughput of the window; None when nothing was finished within it.
    """

    at: dt.datetime
    basis: Basis
    counted_at: dt.datetime
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


def overview(s: Session, *, exact: bool = False, now: dt.datetime | None = None) -> Overview:
    """Return the counts, the queue, the throughput of the last 15 minutes and what it promises.

    Where files are many the counts are those of the last census, unless they are to be `exact`.
    """
    now = now or clock(s)
    census, basis = _counts(s, now, exact=exact)
    paused, throughput = pauses(s), _throughput(s, now)
    held = _held(paused)
    return Overview(
        at=now,
        basis=basis,
        counted_at=census.taken_at,
        files={state: sum(counts[state] for counts in census.collections.values()) for state in FileState},
        collections=census.collections,
        jobs=census.jobs,
        waiting=_waiting(census.queued, held),
        throughput=throughput,
        eta=_eta(census, held, throughput),
        oldest_queued_at=census.oldest_queued_at,
        paused=paused,
    )


def waiting_for_causes(s: Session, *, now: dt.datetime | None = None) -> list[Waiting]:
    """Return what passing causes queued jobs wait for now."""
    queued = count_queued(s, now or clock(s), Job.waiting_since.is_not(None))
    return [waiting for waiting in _waiting(queued, _held(pauses(s))) if waiting.code is not None]


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


def _counts(s: Session, now: dt.datetime, *, exact: bool) -> tuple[Census, Basis]:
    if exact or not many_files(s):
        return count_everything(s, now), Basis.LIVE
    census = last_census(s)
    return (count_everything(s, now), Basis.NO_CENSUS) if census is None else (census, Basis.CENSUS)


def _held(paused: Iterable[Pause]) -> frozenset[Lane]:
    return frozenset(lane for pause in paused for lane in Lane if pause.lane in {None, lane})


def _waiting(queued: Iterable[Queued], held: Container[Lane]) -> tuple[Waiting, ...]:
    """Put together what waits for the same thing; in a lane that is held, that is its release."""
    alike: dict[tuple[str | None, str | None], list[Waiting]] = {}
    for group in queued:
        if group.lane in held:
            pause = f"the {group.lane} lane is paused"
            alike.setdefault((pause, None), []).append(Waiting(pause, group.jobs))
        else:
            alike.setdefault((group.reason, group.code), []).append(group)
    waiting = [
        Waiting(
            reason,
            sum(group.jobs for group in groups),
            code,
            max((group.remedy for group in groups if group.remedy is not None), default=None),
            min((group.since for group in groups if group.since is not None), default=None),
            min((group.next_at for group in groups if group.next_at is not None), default=None),
        )
        for (reason, code), groups in alike.items()
    ]
    return tuple(sorted(waiting, key=lambda group: -group.jobs))


def _throughput(s: Session, now: dt.datetime) -> Throughput:
    """Count what was finished within the window, which begins no earlier than the work on it did."""
    latest = (
        select(Derivative.job_id, Derivative.width, Derivative.height, Derivative.created_at)
        .where(Derivative.created_at > now - THROUGHPUT_WINDOW, Derivative.created_at <= now)
        .order_by(Derivative.created_at.desc())
        .limit(_LATEST)
        .subquery()
    )
    jobs, pixels, began, first = s.execute(
        select(
            func.count(),
            func.sum(cast(latest.c.width, Float) * latest.c.height),
            func.min(Job.started_at),
            func.min(latest.c.created_at),
        ).join(Job, Job.id == latest.c.job_id)
    ).one()
    begins = first if jobs == _LATEST else began
    window = (
        THROUGHPUT_WINDOW
        if begins is None
        else min(THROUGHPUT_WINDOW, max(now - begins, dt.timedelta(seconds=1)))
    )
    return Throughput(window, jobs, (pixels or 0) / 1e6)


def _eta(census: Census, held: Container[Lane], throughput: Throughput) -> dt.timedelta | None:
    """By the number of jobs: for all but plates a job costs the network's time, whatever its pixels."""
    if throughput.jobs == 0:
        return None
    left = sum(
        census.jobs[lane][JobState.RUNNING] + (0 if lane in held else census.jobs[lane][JobState.QUEUED])
        for lane in Lane
    )
    return throughput.window * (left / throughput.jobs)
