"""How the work stands as a whole."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from db.vocabulary import FileState, JobState, Lane


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many queued jobs wait for the same thing; `reason` is None for those that only wait their turn."""

    reason: str | None
    jobs: int


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause in force; `lane` is None when everything is held."""

    lane: Lane | None
    since: dt.datetime
    by: str


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was finished within the last `window`."""

    window: dt.timedelta
    jobs: int
    megapixels: float


@dataclass(frozen=True, slots=True)
class Overview:
    """The work as a whole. Every state and lane is a key, with 0 where there is nothing."""

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
    raise NotImplementedError


def running(s: Session) -> list[Running]:
    """Return what is worked on now, oldest first."""
    raise NotImplementedError


def drained(s: Session, *, now: dt.datetime | None = None) -> bool:
    """Tell whether nothing runs and nothing queued could run now."""
    raise NotImplementedError
