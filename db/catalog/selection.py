"""Selection of files for a command."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from sqlalchemy import ColumnElement, Float, Row, Select, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from db.catalog.file_states import file_state, in_states, over_live_files
from db.core.schema import Derivative, Recipe, Scan, Sighting
from db.errors import EmptySelection
from db.vocabulary import FileState

_PAGE: Final = 1000
_RECENT: Final = 200
_FEW: Final = 3


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions on files: all must hold; of the values of one condition, any may match.

    `collections` include their subfolders. `states` are those of files and of any of their jobs. `since`
    (inclusive) and `until` (exclusive) bound the time when the file was first seen. `ids` are sighting ids;
    `globs` match the whole display path, with `*` matching `/` too; `ids` and `globs` are one condition.
    `stale_for` selects scans with a derivative but none by the recipe of that fingerprint. `all` is required
    to select files without any condition.
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
    """A selected scan, with the name of its first live sighting."""

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
    """Yield each selected scan that is still in the inbox once, in order of its first selected file.

    Writing in the same session between two steps is safe. Raises `EmptySelection`.
    """
    seen: set[int] = set()
    for file in select_files(s, selection, Sighting.gone_at.is_(None), Sighting.scan_id.is_not(None)):
        if file.scan_id in seen:
            continue
        seen.add(file.scan_id)
        yield SelectedScan(
            scan_id=file.scan_id,
            sighting_id=file.id,
            display=file.display,
            collection=file.collection,
            state=FileState(file.state),
            width=file.width,
            height=file.height,
            bands=file.bands,
            bit_depth=file.bit_depth,
            bytes=file.bytes,
        )


def select_files(s: Session, selection: Selection, *conditions: ColumnElement[bool]) -> Iterator[Row[Any]]:
    """Yield the selected live sightings with their scans, in order of id. Raises `EmptySelection`."""
    if not selection.all and selection == Selection():
        raise EmptySelection(
            reason="no files were selected", remedy="give a collection, state, id or glob, or --all"
        )
    query = over_live_files(
        select(
            Sighting.id,
            Sighting.scan_id,
            Sighting.display,
            Sighting.collection,
            file_state().label("state"),
            Scan.width,
            Scan.height,
            Scan.bands,
            Scan.bit_depth,
            Scan.bytes,
        )
    )
    query = _narrow(query, selection).where(*conditions).order_by(Sighting.id).limit(_PAGE)
    last = 0
    while page := s.execute(query.where(Sighting.id > last)).all():
        for file in page:
            named = file.id in selection.ids or any(fnmatchcase(file.display, g) for g in selection.globs)
            if not selection.globs or named:
                yield file
        last = page[-1].id


def in_collection(collection: str) -> ColumnElement[bool]:
    """Return the condition that a sighting is in a collection or below it; "" is the whole inbox."""
    if collection == "":
        return Sighting.id.is_not(None)
    below = Sighting.collection.startswith(f"{collection}/", autoescape=True)
    return or_(Sighting.collection == collection, below)


def collections_on_record(s: Session) -> set[str]:
    """Return every folder of the inbox that has live files in it or below it."""
    found = set(s.scalars(select(Sighting.collection).where(Sighting.superseded_at.is_(None)).distinct()))
    return {
        "/".join(parts[:depth])
        for parts in (collection.split("/") for collection in found if collection)
        for depth in range(1, len(parts) + 1)
    }


def has_files(s: Session, collection: str) -> bool:
    """Return whether there are live files in a collection or below it; "" is the whole inbox."""
    query = select(Sighting.id).where(Sighting.superseded_at.is_(None), in_collection(collection))
    return s.scalars(query.limit(1)).first() is not None


def similar_names(s: Session, name: str, most: int) -> list[str]:
    """Return display paths of live files to suggest for a path that is not on record.

    At most `most` of the same folder, and some of the same name in other folders.
    """
    folder, _, last = name.rpartition("/")
    live = select(Sighting.display).where(Sighting.superseded_at.is_(None)).order_by(Sighting.id)
    beside = live.where(Sighting.collection == folder).limit(most)
    elsewhere = live.where(Sighting.display.endswith(f"/{last}", autoescape=True)).limit(_FEW)
    return list(dict.fromkeys([*s.scalars(beside), *s.scalars(elsewhere)]))


def mean_seconds_per_megapixel(s: Session) -> float | None:
    """Return the mean time of the latest 200 derivatives in s per megapixel, None before the first."""
    recent = (
        select(
            Derivative.seconds, (cast(Derivative.width, Float) * Derivative.height / 1e6).label("megapixels")
        )
        .order_by(Derivative.id.desc())
        .limit(_RECENT)
        .subquery()
    )
    seconds, megapixels = s.execute(select(func.sum(recent.c.seconds), func.sum(recent.c.megapixels))).one()
    return float(seconds / megapixels) if megapixels else None


def _narrow(query: Select[*tuple[Any, ...]], selection: Selection) -> Select[*tuple[Any, ...]]:
    if selection.collections:
        query = query.where(or_(*map(in_collection, selection.collections)))
    if selection.states:
        query = query.where(in_states(selection.states))
    if selection.since is not None:
        query = query.where(Sighting.first_seen_at >= selection.since)
    if selection.until is not None:
        query = query.where(Sighting.first_seen_at < selection.until)
    if selection.ids and not selection.globs:  # together with globs both are matched in Python
        query = query.where(Sighting.id.in_(selection.ids))
    if selection.stale_for is not None:
        made = exists().where(Derivative.scan_id == Sighting.scan_id)
        by_this = made.where(
            Derivative.recipe_id.in_(select(Recipe.id).where(Recipe.fingerprint == selection.stale_for))
        )
        query = query.where(made, ~by_this)
    return query
