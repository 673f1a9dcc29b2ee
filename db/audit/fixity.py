"""Which files are due to be read again, and how what was found is entered."""

import datetime as dt
import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from db.catalog.names_due import mark_names_due
from db.catalog.selection import Selection, select_files
from db.core import events
from db.core.clock import current_time
from db.core.engine import Database
from db.core.events import NewEvent
from db.core.schema import Derivative, Link, Recipe, Scan, Sighting
from db.values import SAEK, AgentName, utcnow
from db.vocabulary import EventType, Finding, Holding, Outcome

_PAGE: Final = 500
_SLACK: Final = dt.timedelta(hours=1)
_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Due:
    """Which files a check takes: those not checked since it `began`, or not since `unless_since`.

    What was not found intact last time is due in any case; only of a missing master that the rescan saw leave
    nothing else is to be expected. Without `gone`, masters that left the inbox are not asked for at all.
    """

    began: dt.datetime
    unless_since: dt.datetime | None = None
    gone: bool = True

    @property
    def before(self) -> dt.datetime:
        """What was checked at this time or later is not due for its age."""
        return self.began if self.unless_since is None else min(self.unless_since, self.began)


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file that should be there: `sha256` and `bytes` are what was recorded.

    `id` is that of the sighting, the derivative or the link; `derivative_id` is None of a master. `size`
    and `mtime_ns` are what the file system last showed of a master, None when it must be looked at anew, and
    of derivatives. `finding` is that of the last check.
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
class FileCheck:
    """What a file was found to be; `sha256` and `bytes` are those of what was read, if it was."""

    file: RecordedFile
    finding: Finding
    reason: str | None = None
    sha256: str | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class DueAmount:
    """How many files, of how many bytes as recorded."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """What the last checks of all files of a kind found; `oldest` is the earliest of those checks."""

    files: int
    unchecked: int
    findings: Mapping[Finding, int]
    oldest: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Making:
    """How a derivative was made, and the file of the inbox that it could be made from again, if any."""

    recipe: Mapping[str, Any]
    sighting_id: int | None


ChosenFiles = Mapping[Holding, Collection[int]]
"""Ids of the files that a check is limited to."""


class _Key(NamedTuple):
    at: dt.datetime | None
    id: int


def due_files(
    database: Database, holdings: Collection[Holding], due: Due, chosen: ChosenFiles | None = None
) -> Iterator[RecordedFile]:
    """Yield the files that are due, the longest unchecked first, those never checked before all others.

    Reads a page at a time, each in a transaction of its own: what is entered meanwhile does no harm.
    """
    streams = [
        _stream(database, holding, due, None if chosen is None else chosen[holding]) for holding in holdings
    ]
    return heapq.merge(*streams, key=lambda held: (held.checked_at or _NEVER, held.id))


def amount_due(s: Session, holding: Holding, due: Due, ids: Collection[int] | None = None) -> DueAmount:
    """Return how much of a kind is due."""
    asked = _ASKED[holding]
    size = Scan.bytes if holding is Holding.MASTER else Derivative.bytes
    counts = _present(select(func.count(), func.coalesce(func.sum(size), 0)), holding, due).where(
        _is_due(asked, due)
    )
    if ids is None:
        files, total = s.execute(counts).one()
        return DueAmount(files, int(total))
    parts = [s.execute(counts.where(asked.id.in_(page))).one() for page in _pages(ids)]
    return DueAmount(sum(part[0] for part in parts), sum(int(part[1]) for part in parts))


def choose_files(s: Session, selection: Selection) -> ChosenFiles:
    """Return the ids of the chosen masters and of what was made of them. Raises `EmptySelection`."""
    masters: list[int] = []
    scans: set[int] = set()
    for file in select_files(s, selection, Sighting.scan_id.is_not(None)):
        masters.append(file.id)
        scans.add(file.scan_id)
    derivatives: list[int] = []
    for page in _pages(sorted(scans)):
        derivatives += s.scalars(select(Derivative.id).where(Derivative.scan_id.in_(page)))
    links: list[int] = []
    for page in _pages(derivatives):
        live = (Link.derivative_id.in_(page), Link.withdrawn_at.is_(None))
        links += s.scalars(select(Link.id).where(*live))
    return {Holding.MASTER: masters, Holding.DERIVATIVE: derivatives, Holding.LINK: links}


def record_checks(
    s: Session, checks: Sequence[FileCheck], *, agent: AgentName = SAEK, now: dt.datetime | None = None
) -> None:
    """Enter what was found: one event a file, and on the file when and how it was last checked.

    A derivative that lacks a name, or has its first sound one again, has its names looked at.
    """
    now = now or current_time(s)
    made = [check for check in checks if check.file.holding is not Holding.MASTER]
    mark_names_due(s, (c.file.scan_id for c in made if c.finding is Finding.MISSING or _was_amiss(c)), now)
    events.append(s, (_happening(check, agent) for check in checks), at=now)
    for holding, table in _ASKED.items():
        for finding in Finding:
            ids = sorted(c.file.id for c in checks if (c.file.holding, c.finding) == (holding, finding))
            for page in _pages(ids):
                s.execute(
                    update(table)
                    .where(table.id.in_(page))
                    .values(fixity=finding, fixity_at=now)
                    .execution_options(synchronize_session=False)
                )


def _was_amiss(check: FileCheck) -> bool:
    before = check.file.finding
    return check.finding is Finding.INTACT and before not in {None, Finding.INTACT}


def forget_future_checks(s: Session, *, now: dt.datetime | None = None) -> int:
    """Forget checks that are dated after now, as by a clock that was wrong: they would never come due."""
    later = (now or current_time(s)) + _SLACK
    return sum(
        len(
            s.scalars(
                update(table)
                .where(table.fixity_at > later)
                .values(fixity_at=None)
                .returning(table.id)
                .execution_options(synchronize_session=False)
            ).all()
        )
        for table in _ASKED.values()
    )


def check_summary(s: Session, holding: Holding, *, gone: bool = True) -> CheckSummary:
    """Return how the files of a kind stand by their last checks; `gone` as for `Due`."""
    asked = _ASKED[holding]
    query = select(asked.fixity, func.count(), func.min(asked.fixity_at)).group_by(asked.fixity)
    rows = s.execute(_present(query, holding, Due(utcnow(), gone=gone))).all()
    counts = {finding: number for finding, number, _ in rows}
    dates = [oldest for _, _, oldest in rows if oldest is not None]
    return CheckSummary(
        files=sum(counts.values()),
        unchecked=counts.get(None, 0),
        findings={finding: counts.get(finding, 0) for finding in Finding},
        oldest=min(dates, default=None),
    )


def making_of(s: Session, derivative_id: int) -> Making:
    """Return how a derivative was made, and the number of a file that still holds its master."""
    scan_id, body = s.execute(
        select(Derivative.scan_id, Recipe.body)
        .join(Recipe, Recipe.id == Derivative.recipe_id)
        .where(Derivative.id == derivative_id)
    ).one()
    there = (Sighting.superseded_at.is_(None), Sighting.gone_at.is_(None))
    sighting_id = s.scalar(select(func.min(Sighting.id)).where(Sighting.scan_id == scan_id, *there))
    return Making(body, sighting_id)


def _stream(
    database: Database, holding: Holding, due: Due, ids: Collection[int] | None
) -> Iterator[RecordedFile]:
    if ids is not None:
        yield from _stream_chosen(database, holding, due, ids)
        return
    after: _Key | None = None
    while True:
        with database.read() as s:
            page = _page(s, holding, due, after)
        yield from page
        if len(page) < _PAGE:
            return
        after = _Key(page[-1].checked_at, page[-1].id)


def _stream_chosen(
    database: Database, holding: Holding, due: Due, ids: Collection[int]
) -> Iterator[RecordedFile]:
    """Yield the due ones of these ids in the order of `due_files`: sorted by key, facts read by page."""
    asked, keys = _ASKED[holding], []
    keyed = _present(select(asked.fixity_at, asked.id), holding, due).where(_is_due(asked, due))
    with database.read() as s:
        for page in _pages(ids):
            keys += [(at or _NEVER, number) for at, number in s.execute(keyed.where(asked.id.in_(page)))]
    keys.sort()
    for page in _pages([number for _, number in keys]):
        with database.read() as s:
            found = {
                row.id: _held(row, holding)
                for row in s.execute(_facts(holding, due).where(asked.id.in_(page)))
            }
        yield from (found[number] for number in page if number in found)


def _page(s: Session, holding: Holding, due: Due, after: _Key | None) -> list[RecordedFile]:
    """Return the next page in order: by id among those never checked, then by time and id."""
    asked, rows = _ASKED[holding], []
    if after is None or after.at is None:
        query = _facts(holding, due).where(asked.fixity_at.is_(None), asked.id > (after.id if after else 0))
        rows = list(s.execute(query.order_by(asked.id).limit(_PAGE)))
        after = None
    if len(rows) < _PAGE:
        query = _facts(holding, due).where(asked.fixity_at.is_not(None), _is_due(asked, due))
        if after is not None and after.at is not None:
            later = or_(asked.fixity_at > after.at, and_(asked.fixity_at == after.at, asked.id > after.id))
            query = query.where(asked.fixity_at >= after.at, later)
        rows += s.execute(query.order_by(asked.fixity_at, asked.id).limit(_PAGE - len(rows)))
    return [_held(row, holding) for row in rows]


def _facts(holding: Holding, due: Due) -> Select[*tuple[Any, ...]]:
    asked = _ASKED[holding]
    columns: list[Any] = [asked.id, asked.root, asked.path, asked.display, asked.fixity, asked.fixity_at]
    if holding is Holding.MASTER:
        columns += [Sighting.scan_id, Scan.sha256, Scan.bytes]
        columns += [Sighting.size, Sighting.mtime_ns, Sighting.gone_at]
    else:
        columns += [Derivative.scan_id, Derivative.sha256, Derivative.bytes]
        columns += [Derivative.id.label("derivative_id")]
    return _present(select(*columns), holding, due)


def _present(query: Select[*tuple[Any, ...]], holding: Holding, due: Due) -> Select[*tuple[Any, ...]]:
    """Narrow a query to the files that should be there.

    A master that left the inbox counts when its bytes are nowhere else in it: then it is missing.
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


def _is_due(asked: type[Sighting] | type[Derivative] | type[Link], due: Due) -> ColumnElement[bool]:
    amiss = and_(asked.fixity_at < due.began, asked.fixity != Finding.INTACT)
    if asked is Sighting:
        amiss = and_(amiss, or_(asked.fixity != Finding.MISSING, Sighting.gone_at.is_(None)))
    return or_(asked.fixity_at.is_(None), asked.fixity_at < due.before, amiss)


def _held(row: Row[Any], holding: Holding) -> RecordedFile:
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


def _happening(check: FileCheck, agent: AgentName) -> NewEvent:
    held = check.file
    detail: dict[str, Any] = {"finding": check.finding, "algorithm": "sha256", "expected": held.sha256}
    if check.sha256 is not None:
        detail |= {"found": check.sha256}
    if check.bytes is not None and check.bytes != held.bytes:
        detail |= {"expected_bytes": held.bytes, "found_bytes": check.bytes}
    if check.reason is not None:
        detail |= {"reason": check.reason}
    if held.holding is Holding.LINK:
        detail |= {"name": held.display}
    master = held.holding is Holding.MASTER
    return NewEvent(
        EventType.FIXITY_CHECK,
        detail,
        _OUTCOMES.get(check.finding, Outcome.FAIL),
        agent,
        scan_id=held.scan_id,
        sighting_id=held.id if master else None,
        derivative_id=held.derivative_id,
    )


def _pages(ids: Collection[int]) -> Iterator[list[int]]:
    left = iter(ids)
    while page := list(islice(left, _PAGE)):
        yield page


_ASKED: Final[Mapping[Holding, type[Sighting] | type[Derivative] | type[Link]]] = {
    Holding.MASTER: Sighting,
    Holding.DERIVATIVE: Derivative,
    Holding.LINK: Link,
}
_OUTCOMES: Final = {Finding.INTACT: Outcome.SUCCESS, Finding.REWRITTEN: Outcome.WARNING}
