"""Overview of the work, running jobs and transient causes of waits."""

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
    WaitingInLane,
    WaitingJobs,
    count_everything,
    count_queued,
    has_many_files,
    last_counts,
)
from db.vocabulary import Basis, FileState, JobState, Lane


@dataclass(frozen=True, slots=True)
class Overview:
    """All counts, the queue, throughput and time left. Every state and lane is a key, 0 included.

    Files, jobs, waits and `oldest_queued_at` are those at `counted_at`; `basis` says how they were counted.
    Everything else is current.

    `files` counts each file once; `also` counts those with a job that failed or was cancelled although their
    state is another one. `collections` and `collections_also` are the same by collection. `eta` is the time
    that running and queued jobs take at the current throughput, or at that of the latest derivatives if none
    was finished within its window, without the `held` jobs of paused lanes. It is None if there are no
    derivatives yet, or if only held jobs are left.
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
    """The last survey of the inbox, None before the first."""


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A running job."""

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
    """Return the counts, the queue, the throughput of the last 15 minutes, and the estimated time left.

    With many files the counts come from the cache, unless they must be `exact`.
    """
    now = now or current_time(s)
    counts, basis = _current_counts(s, now, exact=exact)
    paused, done = pauses_in_force(s), recent_throughput(s, now)
    held = _held(paused)
    waits = _left(counts, held, JobState.QUEUED)
    left = _left(counts, Lane, JobState.RUNNING) + _left(counts, set(Lane) - held, JobState.QUEUED)
    pace = latest_throughput(s) if left and not done.jobs else done
    return Overview(
        at=now,
        basis=basis,
        counted_at=counts.taken_at,
        files={
            state: sum(by_state[state] for by_state in counts.collections.values()) for state in FileState
        },
        also={state: sum(by_state[state] for by_state in counts.also.values()) for state in UNSUCCESSFUL},
        collections=counts.collections,
        collections_also=counts.also,
        jobs=counts.jobs,
        waiting=_waiting(counts.queued, held),
        throughput=done,
        eta=_eta(left, waits, pace),
        held=waits,
        oldest_queued_at=counts.oldest_queued_at,
        paused=paused,
        survey=last_survey(s),
    )


def waits_for_causes(s: Session, *, now: dt.datetime | None = None) -> list[WaitingJobs]:
    """Return the transient causes for which queued jobs wait now."""
    queued = count_queued(s, now or current_time(s), Job.waiting_since.is_not(None))
    return [waiting for waiting in _waiting(queued, _held(pauses_in_force(s))) if waiting.code is not None]


def running_jobs(s: Session) -> list[RunningJob]:
    """Return the running jobs, oldest first."""
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


def _current_counts(s: Session, now: dt.datetime, *, exact: bool) -> tuple[Counts, Basis]:
    if exact or not has_many_files(s):
        return count_everything(s, now), Basis.LIVE
    counts = last_counts(s)
    return (count_everything(s, now), Basis.NOT_CACHED) if counts is None else (counts, Basis.CACHED)


def _held(paused: Iterable[Pause]) -> frozenset[Lane]:
    return frozenset(lane for pause in paused for lane in Lane if pause.lane in {None, lane})


def _waiting(queued: Iterable[WaitingInLane], held: Container[Lane]) -> tuple[WaitingJobs, ...]:
    """Group the jobs of all lanes by what they wait for; those of a paused lane wait for its resumption."""
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


def _left(counts: Counts, lanes: Iterable[Lane], state: JobState) -> int:
    return sum(counts.jobs[lane][state] for lane in lanes)


def _eta(left: int, held: int, pace: Throughput) -> dt.timedelta | None:
    """Estimate by number of jobs: except for plates, a job takes the same time at any size."""
    if left == 0:
        return None if held else dt.timedelta(0)
    return None if pace.jobs == 0 else pace.worked * (left / pace.jobs)
