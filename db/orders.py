"""What a person can order: pause, resume, cancel, retry, reprocess."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from db.selection import Selection
from db.vocabulary import Lane


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How many jobs were cancelled at once, and how many running ones were asked to stop."""

    cancelled: int
    requested: int


@dataclass(frozen=True, slots=True)
class Retried:
    """How many jobs were queued again, scans released, and files left for the next rescan to take anew."""

    jobs: int
    scans: int
    sightings: int


@dataclass(frozen=True, slots=True)
class Reprocessed:
    """How many jobs were made, were there already, and were not made because the scan is quarantined."""

    created: int
    existing: int
    quarantined: int


def pause(s: Session, lane: Lane | None, by: str, *, now: dt.datetime | None = None) -> bool:
    """Hold a lane, or all with None; False if it was held already."""
    raise NotImplementedError


def resume(s: Session, lane: Lane | None, by: str, *, now: dt.datetime | None = None) -> bool:
    """Let a lane go on; None lifts every pause. False if nothing was held."""
    raise NotImplementedError


def cancel(
    s: Session, what: Selection | Iterable[int], by: str, *, now: dt.datetime | None = None
) -> Cancelled:
    """Cancel the queued jobs of the chosen files, or of these job ids, and ask the running ones to stop."""
    raise NotImplementedError


def retry(s: Session, what: Selection | Iterable[int], by: str, *, now: dt.datetime | None = None) -> Retried:
    """Queue failed and cancelled jobs anew with all their attempts, and release what was quarantined."""
    raise NotImplementedError


def reprocess(
    s: Session, scan_ids: Iterable[int], recipe_id: int, requested_by: str, *, now: dt.datetime | None = None
) -> Reprocessed:
    """Make a job in the bulk lane for each scan that has none with this recipe."""
    raise NotImplementedError
