"""Which files are due for a fixity check, and the choice of the next ones."""

import datetime as dt
import heapq
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.catalog.selection import Selection, select_files
from db.core.batches import batches
from db.core.engine import Database
from db.core.schema import Derivative, Link, Scan, Sighting
from db.vocabulary import Finding, Holding

_PAGE: Final = 500
_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)

TABLES: Final[Mapping[Holding, type[Sighting] | type[Derivative] | type[Link]]] = {
    Holding.MASTER: Sighting,
    Holding.DERIVATIVE: Derivative,
    Holding.LINK: Link,
}
"""The table that holds the last check of each kind of file."""

ChosenFiles = Mapping[Holding, Collection[int]]
"""Ids of the files to which a check is limited."""


@dataclass(frozen=True, slots=True)
class Due:
    """Files that a check covers: those not checked since it `began`, or not since `unless_since`.

    Files that were not intact at the last check are always due, except missing masters that the rescan saw
    leave the inbox. Without `gone`, masters that left the inbox are not covered at all.
    """

    began: dt.datetime
    unless_since: dt.datetime | None = None
    gone: bool = True

    @property
    def before(self) -> dt.datetime:
        """Files checked at this time or later are not due by age."""
        return self.began if self.unless_since is None else min(self.unless_since, self.began)


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file that should exist, with the `sha256` and `bytes` on record.

    `id` is that of the sighting, the derivative or the link; `derivative_id` is None for a master. `size` and
    `mtime_ns` are those last seen of a master; None if it must be read again, and for derivatives. `finding`
    is that of the last check.
    """

    holding: Holding
    id: int
    scan_id: int
    root: str
    path: bytes
    display: str
    sha256: str
    bytes: int
    size: int | None
    mtime_ns: int | None
    gone_at: dt.datetime | None
    checked_at: dt.datetime | None
    derivative_id: int | None = None
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class DueAmount:
    """Number and total size on record of files that are due."""

    files: int
    bytes: int


def due_files(
    database: Database, holdings: Collection[Holding], due: Due, chosen: ChosenFiles | None = None
) -> Iterator[RecordedFile]:
    """Yield the files that are due: those never checked first, then the longest unchecked.

    Reads in pages, each in a transaction of its own; recording checks meanwhile is safe.
    """
    streams = [
        _stream(database, holding, due, None if chosen is None else chosen[holding]) for holding in holdings
    ]
    return heapq.merge(*streams, key=lambda file: (file.checked_at or _NEVER, file.id))


def amount_due(s: Session, holding: Holding, due: Due, ids: Collection[int] | None = None) -> DueAmount:
    """Return number and size of the files of a kind that are due."""
    table = TABLES[holding]
    size = Scan.bytes if holding is Holding.MASTER else Derivative.bytes
    counts = present_files(select(func.count(), func.coalesce(func.sum(size), 0)), holding, due).where(
        _is_due(table, due)
    )
    if ids is None:
        files, total = s.execute(counts).one()
        return DueAmount(files, int(total))
    parts = [s.execute(counts.where(table.id.in_(page))).one() for page in batches(ids, _PAGE)]
    return DueAmount(sum(part[0] for part in parts), sum(int(part[1]) for part in parts))


def choose_files(s: Session, selection: Selection) -> ChosenFiles:
    """Return the ids of the selected masters and of their derivatives. Raises `EmptySelection`."""
    masters: list[int] = []
    scans: set[int] = set()
    for file in select_files(s, selection, Sighting.scan_id.is_not(None)):
        masters.append(file.id)
        scans.add(file.scan_id)
    derivatives: list[int] = []
    for page in batches(sorted(scans), _PAGE):
        derivatives += s.scalars(select(Derivative.id).where(Derivative.scan_id.in_(page)))
    links: list[int] = []
    for page in batches(derivatives, _PAGE):
        live = (Link.derivative_id.in_(page), Link.withdrawn_at.is_(None))
        links += s.scalars(select(Link.id).where(*live))
    return {Holding.MASTER: masters, Holding.DERIVATIVE: derivatives, Holding.LINK: links}


def _stream(
    database: Database, holding: Holding, due: Due, ids: Collection[int] | None
) -> Iterator[RecordedFile]:
    if ids is not None:
        yield from _stream_chosen(database, holding, due, ids)
        return
    after: tuple[dt.datetime | None, int] | None = None
    while True:
        with database.read() as s:
            page = _page(s, holding, due, after)
        yield from page
        if len(page) < _PAGE:
            return
        after = (page[-1].checked_at, page[-1].id)


def _stream_chosen(
    database: Database, holding: Holding, due: Due, ids: Collection[int]
) -> Iterator[RecordedFile]:
    """Yield those of the ids that are due, in the order of `due_files`: sort keys first, then read pages."""
    table, keys = TABLES[holding], []
    keyed = present_files(select(table.fixity_at, table.id), holding, due).where(_is_due(table, due))
    with database.read() as s:
        for page in batches(ids, _PAGE):
            keys += [(at or _NEVER, number) for at, number in s.execute(keyed.where(table.id.in_(page)))]
    keys.sort()
    for page in batches([number for _, number in keys], _PAGE):
        with database.read() as s:
            found = {
                row.id: _recorded(row, holding)
                for row in s.execute(_facts(holding, due).where(table.id.in_(page)))
            }
        yield from (found[number] for number in page if number in found)


def _page(
    s: Session, holding: Holding, due: Due, after: tuple[dt.datetime | None, int] | None
) -> list[RecordedFile]:
    """Return the next page in order: by id among those never checked, then by time and id."""
    table, rows = TABLES[holding], []
    checked_at, last_id = after or (None, 0)
    if checked_at is None:
        query = _facts(holding, due).where(table.fixity_at.is_(None), table.id > last_id)
        rows = list(s.execute(query.order_by(table.id).limit(_PAGE)))
    if len(rows) < _PAGE:
        query = _facts(holding, due).where(table.fixity_at.is_not(None), _is_due(table, due))
        if checked_at is not None:
            later = or_(table.fixity_at > checked_at, and_(table.fixity_at == checked_at, table.id > last_id))
            query = query.where(table.fixity_at >= checked_at, later)
        rows += s.execute(query.order_by(table.fixity_at, table.id).limit(_PAGE - len(rows)))
    return [_recorded(row, holding) for row in rows]


def _facts(holding: Holding, due: Due) -> Select[*tuple[Any, ...]]:
    table = TABLES[holding]
    columns: list[Any] = [table.id, table.root, table.path, table.display, table.fixity, table.fixity_at]
    if holding is Holding.MASTER:
        columns += [Sighting.scan_id, Scan.sha256, Scan.bytes]
        columns += [Sighting.size, Sighting.mtime_ns, Sighting.gone_at]
    else:
        columns += [Derivative.scan_id, Derivative.sha256, Derivative.bytes]
        columns += [Derivative.id.label("derivative_id")]
    return present_files(select(*columns), holding, due)


def present_files(query: Select[*tuple[Any, ...]], holding: Holding, due: Due) -> Select[*tuple[Any, ...]]:
    """Limit a query to the files that should exist.

    A master that left the inbox counts only if no other file there has its bytes: then it is missing.
    """
    if holding is Holding.DERIVATIVE:
        return query.select_from(Derivative)
    if holding is Holding.LINK:
        named = query.select_from(Link).join(Derivative, Derivative.id == Link.derivative_id)
        return named.where(Link.withdrawn_at.is_(None))
    query = query.select_from(Sighting).join(Scan, Scan.id == Sighting.scan_id)
    query = query.where(Sighting.superseded_at.is_(None))
    if not due.gone:
        return query.where(Sighting.gone_at.is_(None))
    other = aliased(Sighting)
    there = (other.superseded_at.is_(None), other.gone_at.is_(None))
    elsewhere = exists().where(other.scan_id == Sighting.scan_id, *there)
    return query.where(or_(Sighting.gone_at.is_(None), ~elsewhere))


def _is_due(table: type[Sighting] | type[Derivative] | type[Link], due: Due) -> ColumnElement[bool]:
    suspect = and_(table.fixity_at < due.began, table.fixity != Finding.INTACT)
    if table is Sighting:
        suspect = and_(suspect, or_(table.fixity != Finding.MISSING, Sighting.gone_at.is_(None)))
    return or_(table.fixity_at.is_(None), table.fixity_at < due.before, suspect)


def _recorded(row: Row[Any], holding: Holding) -> RecordedFile:
    master = holding is Holding.MASTER
    return RecordedFile(
        holding=holding,
        id=row.id,
        scan_id=row.scan_id,
        root=row.root,
        path=row.path,
        display=row.display,
        sha256=row.sha256,
        bytes=row.bytes,
        size=row.size if master else None,
        mtime_ns=row.mtime_ns if master else None,
        gone_at=row.gone_at if master else None,
        checked_at=row.fixity_at,
        derivative_id=None if master else row.derivative_id,
        finding=row.fixity,
    )
