"""How a file that was seen becomes a scan, a sighting and a job."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from db.values import SAEK, Agent, KnownFile, Problem, ScanRecord, Seen
from db.vocabulary import Lane


@dataclass(frozen=True, slots=True)
class Registered:
    """What `register` found or made."""

    scan_id: int
    sighting_id: int
    job_id: int | None
    new_scan: bool
    new_sighting: bool
    new_job: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """What `quarantine_sighting` found or made; `new` is False when the same problem was on record."""

    sighting_id: int
    new: bool


def known_sightings(s: Session, root: str, prefix: bytes = b"") -> Iterator[KnownFile]:
    """Yield what is known under `root`, in byte order of the path, in bounded memory."""
    raise NotImplementedError


def find_sighting(s: Session, root: str, path: bytes) -> KnownFile | None:
    """Return what is known of one path."""
    raise NotImplementedError


def register(
    s: Session,
    seen: Seen,
    record: ScanRecord,
    recipe_id: int | None,
    lane: Lane = Lane.INTERACTIVE,
    *,
    agent: Agent = SAEK,
    requested_by: str = "inbox",
    now: dt.datetime | None = None,
) -> Registered:
    """Enter a file and its content, and a job unless `recipe_id` is None or the scan is quarantined."""
    raise NotImplementedError


def register_quarantined(
    s: Session,
    seen: Seen,
    record: ScanRecord,
    problem: Problem,
    agent: Agent = SAEK,
    *,
    now: dt.datetime | None = None,
) -> Registered:
    """Enter a file whose content has a digest but cannot be worked on."""
    raise NotImplementedError


def quarantine_scan(
    s: Session, scan_id: int, problem: Problem, agent: Agent = SAEK, *, now: dt.datetime | None = None
) -> bool:
    """Quarantine a scan that nothing was made of; False if it was quarantined or has a derivative."""
    raise NotImplementedError


def quarantine_sighting(
    s: Session, seen: Seen, problem: Problem, agent: Agent = SAEK, *, now: dt.datetime | None = None
) -> Refused:
    """Enter a file that could not even be hashed (symlink, unreadable, zero bytes)."""
    raise NotImplementedError


def mark_gone(
    s: Session, root: str, paths: Iterable[bytes], agent: Agent = SAEK, *, now: dt.datetime | None = None
) -> int:
    """Note that files are no longer where they were seen; return how many were news."""
    raise NotImplementedError
