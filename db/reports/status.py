"""How the work stands as a whole."""

import datetime as dt
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.catalog.file_states import UNSUCCESSFUL
from db.catalog.surveys import SurveyRecord, last_survey
from db.core.clock import current_time
from db.core.schema import Job
from db.queue.job_files import job_file_name
from db.queue.pauses import Pause, pauses_in_force
from db.queue.throughput import Throughput, latest_throughput, recent_throughput
from db.reports.cached_counts import (
    Counts,
    QueuedJobs,
    WaitingJobs,
    count_everything,
    count_queued,
    has_many_files,
    last_counts,
)
from db.vocabulary import Basis, FileState, JobState, Lane


@dataclass(frozen=True, slots=True)
class Overview:
    """The work as a whole. Every state and lane is a key, with 0 where there is nothing.

    Files, jobs, what they wait for and since when are as they were at `counted_at`; `basis` tells whether
    that is now. All else is of now.

    `files` counts each file once, `also` those of them that have a job which failed or was cancelled although
    their own state is another one; `collections` and `collections_also` are the same for each collection.
    `eta` is the time that running and queued jobs take at the pace of the throughput, or of the latest
    derivatives where nothing was finished within its window; the `held` jobs of paused lanes have no part in
    it. It is None when nothing was ever made, and when all that is left is held.
    """

    at: dt.datetime
    basis: Basis
    counted_at: dt.datetime
    files: Mapping[FileState, int]
    also: Mapping[JobState, int]
    collections: Mapping[str, Mapping[FileState, int]]
    collections_also: Mapping[str, Mapping[JobState, int]]
    jobs: Mapping[Lane, Mapping[JobState, int]]
    waiting: tuple[WaitingJobs, ...]
    throughput: Throughput
    eta: dt.timedelta | None
    held: int
    oldest_queued_at: dt.datetime | None
    paused: tuple[Pause, ...]
    survey: SurveyRecord | None
    """What the last look through the inbox found, None before the first."""


@dataclass(frozen=True, slots=True)
class RunningJob:
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
    """Return the counts, the queue, the throughput of the last 15 minutes, and how long the rest will take.

    Where files are many the counts are those of the last census, unless they are to be `exact`.
    """
    now = now or current_time(s)
    census, basis = _counts(s, now, exact=exact)
    paused, done = pauses_in_force(s), recent_throughput(s, now)
    held = _held(paused)
    waits = _left(census, held, JobState.QUEUED)
    left = _left(census, Lane, JobState.RUNNING) + _left(census, set(Lane) - held, JobState.QUEUED)
    pace = latest_throughput(s) if left and not done.jobs else done
    return Overview(
        at=now,
        basis=basis,
        counted_at=census.taken_at,
        files={state: sum(counts[state] for counts in census.collections.values()) for state in FileState},
        also={state: sum(counts[state] for counts in census.also.values()) for state in UNSUCCESSFUL},
        collections=census.collections,
        collections_also=census.also,
        jobs=census.jobs,
        waiting=_waiting(census.queued, held),
        throughput=done,
        eta=_eta(left, waits, pace),
        held=waits,
        oldest_queued_at=census.oldest_queued_at,
        paused=paused,
        survey=last_survey(s),
    )


def waits_for_causes(s: Session, *, now: dt.datetime | None = None) -> list[WaitingJobs]:
    """Return what passing causes queued jobs wait for now."""
    queued = count_queued(s, now or current_time(s), Job.waiting_since.is_not(None))
    return [waiting for waiting in _waiting(queued, _held(pauses_in_force(s))) if waiting.code is not None]


def running_jobs(s: Session) -> list[RunningJob]:
    """Return what is worked on now, oldest first."""
    rows = s.execute(
        select(
            Job.id,
            Job.scan_id,
            job_file_name(),
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
    return [RunningJob(*row) for row in rows]


def _counts(s: Session, now: dt.datetime, *, exact: bool) -> tuple[Counts, Basis]:
    if exact or not has_many_files(s):
        return count_everything(s, now), Basis.LIVE
    census = last_counts(s)
    return (count_everything(s, now), Basis.NOT_CACHED) if census is None else (census, Basis.CACHED)


def _held(paused: Iterable[Pause]) -> frozenset[Lane]:
    return frozenset(lane for pause in paused for lane in Lane if pause.lane in {None, lane})


def _waiting(queued: Iterable[QueuedJobs], held: Container[Lane]) -> tuple[WaitingJobs, ...]:
    """Put together what waits for the same thing; in a lane that is held, that is its release."""
    alike: dict[tuple[str | None, str | None], list[WaitingJobs]] = {}
    for group in queued:
        if group.lane in held:
            pause = f"the {group.lane} lane is paused"
            alike.setdefault((pause, None), []).append(WaitingJobs(pause, group.jobs))
        else:
            alike.setdefault((group.reason, group.code), []).append(group)
    waiting = [
        WaitingJobs(
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


def _left(census: Counts, lanes: Iterable[Lane], state: JobState) -> int:
    return sum(census.jobs[lane][state] for lane in lanes)


def _eta(left: int, held: int, pace: Throughput) -> dt.timedelta | None:
    """By the number of jobs: for all but plates a job costs the network's time, whatever its pixels."""
    if left == 0:
        return None if held else dt.timedelta(0)
    return None if pace.jobs == 0 else pace.worked * (left / pace.jobs)
