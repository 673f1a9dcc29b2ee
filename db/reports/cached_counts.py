"""Counts of files and jobs by state: counted now, or the last counts from the cache."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from db.catalog.file_states import UNSUCCESSFUL, count_file_states
from db.core import schema
from db.core.clock import current_time
from db.core.engine import Database
from db.core.schema import Job, Sighting
from db.core.upsert import insert_or_ignore
from db.queue.publishing import IS_QUEUED
from db.vocabulary import FileState, JobState, Lane

MANY_FILES: Final = 50_000
"""Number of live files from which counting takes too long for a person, so that counts are cached."""

_ONLY: Final = 1
_DELAYED: Final = "it rests before the next attempt"


@dataclass(frozen=True, slots=True)
class WaitingJobs:
    """Queued jobs that wait for the same thing; `reason` is None for those that only wait their turn.

    `code`, `remedy` and `since` are those of a transient cause, None for a pause or a delay. `next_at` is
    when the first of the jobs is tried again.
    """

    reason: str | None
    jobs: int
    code: str | None = None
    remedy: str | None = None
    since: dt.datetime | None = None
    next_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingInLane(WaitingJobs):
    """Those of one lane, without regard to pauses."""

    lane: Lane


@dataclass(frozen=True, slots=True)
class Counts:
    """All counts at `taken_at`; every state and lane is a key.

    `collections` counts files by their state. `also` counts files with a job that `failed` or was `cancelled`
    although their state is another one. `queued` disregards pauses, which change between two counts.
    """

    taken_at: dt.datetime
    collections: Mapping[str, Mapping[FileState, int]]
    also: Mapping[str, Mapping[JobState, int]]
    jobs: Mapping[Lane, Mapping[JobState, int]]
    queued: tuple[WaitingInLane, ...]
    oldest_queued_at: dt.datetime | None


def has_many_files(s: Session) -> bool:
    """Return whether there are enough live files for counts to be cached; counts no further than that."""
    some = select(Sighting.id).where(Sighting.superseded_at.is_(None)).limit(MANY_FILES).subquery()
    return s.scalars(select(func.count()).select_from(some)).one() >= MANY_FILES


def cache_counts(database: Database) -> Counts | None:
    """Count everything and replace the cached counts; None if there are few files."""
    with database.read() as s:
        if not has_many_files(s):
            return None
        counts = count_everything(s, current_time(s))
    with database.begin() as s:
        values = {"taken_at": counts.taken_at, "facts": _facts(counts)}
        if insert_or_ignore(s, schema.CachedCounts, {"id": _ONLY, **values}, ("id",)) is None:
            s.execute(update(schema.CachedCounts).where(schema.CachedCounts.id == _ONLY).values(values))
    return counts


def last_counts(s: Session) -> Counts | None:
    """Return the cached counts, None if there are none."""
    row = s.execute(select(schema.CachedCounts.taken_at, schema.CachedCounts.facts)).one_or_none()
    return None if row is None else _read_counts(row.taken_at, row.facts)


def count_everything(s: Session, now: dt.datetime) -> Counts:
    """Count all files and jobs; this takes seconds with a million files."""
    collections: dict[str, dict[FileState, int]] = {}
    also: dict[str, dict[JobState, int]] = {}
    for collection, state, also_in, files in count_file_states(s):
        collections.setdefault(collection, dict.fromkeys(FileState, 0))[state] += files
        others = also.setdefault(collection, dict.fromkeys(UNSUCCESSFUL, 0))
        for job_state in also_in:
            others[job_state] += files
    jobs = {lane: dict.fromkeys(JobState, 0) for lane in Lane}
    counted = select(Job.lane, Job.state, func.count()).group_by(Job.lane, Job.state)
    for lane, job_state, count in s.execute(counted):
        jobs[lane][job_state] = count
    oldest = s.scalar(select(func.min(Job.queued_at)).where(IS_QUEUED))
    queued = tuple(count_queued(s, now))
    return Counts(now, dict(sorted(collections.items())), dict(sorted(also.items())), jobs, queued, oldest)


def count_queued(s: Session, now: dt.datetime, *conditions: ColumnElement[bool]) -> list[WaitingInLane]:
    """Count queued jobs that meet the conditions, by lane and by what they wait for."""
    delayed = Job.not_before > now
    transient = delayed & Job.waiting_since.is_not(None)
    waiting = (
        select(
            Job.lane,
            case((delayed, func.coalesce(Job.wait_reason, _DELAYED))).label("reason"),
            case((transient, Job.failure_code)).label("code"),
            case((transient, Job.failure_remedy)).label("remedy"),
            case((transient, Job.waiting_since)).label("since"),
            case((transient, Job.not_before)).label("next_at"),
        )
        .where(IS_QUEUED, *conditions)
        .subquery()
    )
    rows = s.execute(
        select(
            waiting.c.lane,
            waiting.c.reason,
            func.count(),
            waiting.c.code,
            func.max(waiting.c.remedy),
            func.min(waiting.c.since),
            func.min(waiting.c.next_at),
        ).group_by(waiting.c.lane, waiting.c.reason, waiting.c.code)
    )
    return [WaitingInLane(*what, lane=lane) for lane, *what in rows]


def _facts(counts: Counts) -> dict[str, Any]:
    return {
        "collections": {name: _some(counts) for name, counts in counts.collections.items()},
        "also": {name: _some(counts) for name, counts in counts.also.items()},
        "jobs": {lane: _some(counts) for lane, counts in counts.jobs.items()},
        "queued": [{k: _plain(v) for k, v in asdict(group).items()} for group in counts.queued],
        "oldest_queued_at": _plain(counts.oldest_queued_at),
    }


def _read_counts(taken_at: dt.datetime, facts: Mapping[str, Any]) -> Counts:
    return Counts(
        taken_at=taken_at,
        collections={
            name: dict.fromkeys(FileState, 0) | {FileState(state): n for state, n in counts.items()}
            for name, counts in sorted(facts["collections"].items())
        },
        also={  # counts of an earlier release have none
            name: dict.fromkeys(UNSUCCESSFUL, 0)
            | {JobState(state): n for state, n in facts.get("also", {}).get(name, {}).items()}
            for name in sorted(facts["collections"])
        },
        jobs={
            Lane(lane): dict.fromkeys(JobState, 0) | {JobState(state): n for state, n in counts.items()}
            for lane, counts in facts["jobs"].items()
        },
        queued=tuple(
            WaitingInLane(
                **group
                | {"lane": Lane(group["lane"])}
                | {name: _time(group[name]) for name in ("since", "next_at")}
            )
            for group in facts["queued"]
        ),
        oldest_queued_at=_time(facts["oldest_queued_at"]),
    )


def _some(counts: Mapping[Any, int]) -> dict[str, int]:
    return {str(state): count for state, count in counts.items() if count}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value


def _time(text: str | None) -> dt.datetime | None:
    return None if text is None else dt.datetime.fromisoformat(text)
