"""Which files an order means."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from db.vocabulary import FileState


@dataclass(frozen=True, slots=True)
class Selection:
    """A choice of files: all conditions must hold; within one condition any of its values will do.

    `collections` take in their sub-folders; `since` (inclusive) and `until` (exclusive) bound the time that
    the file was first seen; `ids` are sighting ids, as `files` lists them; `globs` are matched with the whole
    display path, `*` crossing folders; `stale_for` keeps scans that have a derivative but none by the
    recipe of that fingerprint. `all` must be said to choose without a condition.
    """

    collections: tuple[str, ...] = ()
    states: tuple[FileState, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    ids: tuple[int, ...] = ()
    globs: tuple[str, ...] = ()
    stale_for: str | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class SelectedScan:
    """A chosen scan, named after its first live sighting."""

    scan_id: int
    sighting_id: int
    display: str
    collection: str
    state: FileState
    width: int | None
    height: int | None
    bands: int | None
    bit_depth: int | None
    bytes: int


def select_scans(s: Session, selection: Selection) -> Iterator[SelectedScan]:
    """Yield each chosen scan that is still in the inbox once, in order of id. Raises `EmptySelection`."""
    raise NotImplementedError


def mean_seconds_per_megapixel(s: Session) -> float | None:
    """Return what the latest 200 derivatives took, in seconds a megapixel; None before the first."""
    raise NotImplementedError
