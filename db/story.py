"""What the whole story of one scan is."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db.values import Agent, Problem
from db.vocabulary import EventType, FileState, JobState, Lane, Outcome


@dataclass(frozen=True, slots=True)
class ScanStory:
    """A content as it was identified."""

    id: int
    sha256: str
    bytes: int
    format: str | None
    width: int | None
    height: int | None
    bands: int | None
    bit_depth: int | None
    orientation: int | None
    icc_sha256: str | None
    dpi: float | None
    facts: Mapping[str, Any]
    first_seen_at: dt.datetime
    problem: Problem | None
    quarantined_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class SightingStory:
    """A place where it was seen; `state` is None once another content took the place."""

    id: int
    root: str
    path: bytes
    display: str
    collection: str
    state: FileState | None
    first_seen_at: dt.datetime
    last_seen_at: dt.datetime
    superseded_at: dt.datetime | None
    gone_at: dt.datetime | None
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class JobStory:
    """A job with its recipe."""

    id: int
    state: JobState
    lane: Lane
    attempts: int
    max_attempts: int
    requested_by: str
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    not_before: dt.datetime | None
    wait_reason: str | None
    owner: str | None
    stage: str | None
    done: int
    total: int
    problem: Problem | None
    fingerprint: str
    recipe: Mapping[str, Any]
    model: str
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class DerivativeStory:
    """A file that was made."""

    id: int
    job_id: int
    root: str
    path: bytes
    display: str
    format: str
    width: int
    height: int
    bit_depth: int
    bytes: int
    sha256: str
    pixel_sha256: str
    luma_max_error: float
    luma_mean_error: float
    engine: str
    software: str
    weights_sha256: str
    seconds: float
    facts: Mapping[str, Any]
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class EventStory:
    """A thing that happened."""

    id: int
    at: dt.datetime
    type: EventType
    outcome: Outcome
    agent: Agent
    detail: Mapping[str, Any]
    sighting_id: int | None
    job_id: int | None
    derivative_id: int | None


@dataclass(frozen=True, slots=True)
class Story:
    """All that is on record of one scan; `scan` is None for a file that could not be hashed."""

    scan: ScanStory | None
    sightings: tuple[SightingStory, ...]
    jobs: tuple[JobStory, ...]
    derivatives: tuple[DerivativeStory, ...]
    events: tuple[EventStory, ...]


def story(s: Session, selector: str | bytes) -> Story | None:
    """Return the story of the scan that `selector` means, None when nothing fits.

    Bytes are a path relative to its root. Text is tried as `file:N` (sighting id), `scan:N`, `job:N`, a bare
    number (sighting id), a display path, and a sha256 prefix of 6 digits or more. Raises `AmbiguousSelector`.
    """
    raise NotImplementedError
