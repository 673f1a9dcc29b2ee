"""Which names derivatives have in the outbox beside the first, and which scans are to be looked at for it."""

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any, Final

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from db.catalog.quarantine import lock_scan
from db.core import events
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Derivative, Job, Link, Recipe, Scan, Sighting
from db.core.upsert import insert_or_ignore
from db.values import SAEK, AgentName
from db.vocabulary import EventType

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class DerivativeName:
    """A name of a derivative; `link_id` is None for the first, which `Derivative` itself holds."""

    link_id: int | None
    root: str
    path: bytes
    display: str


@dataclass(frozen=True, slots=True)
class NamedDerivative:
    """A derivative with all of its names, the first one first."""

    derivative_id: int
    job_id: int
    fingerprint: str
    bytes: int
    sha256: str
    names: tuple[DerivativeName, ...]


@dataclass(frozen=True, slots=True)
class ScanPlaces:
    """Where a scan was seen and what its derivatives are called.

    `present` are the paths of the inbox that hold it now, in the order in which they were first seen; `past`
    are those that did and do not any more.
    """

    scan_id: int
    sha256: str
    present: tuple[bytes, ...]
    past: frozenset[bytes]
    derivatives: tuple[NamedDerivative, ...]


def mark_names_due(s: Session, scan_ids: Iterable[int | None], now: dt.datetime) -> None:
    """Have the names of the scans' derivatives looked at; for the same transaction that changes the places.

    Scans without a derivative are left out, and those that lie nowhere now: what they gave keeps its names.
    """
    left = iter(sorted({scan_id for scan_id in scan_ids if scan_id is not None}))
    made = exists().where(Derivative.scan_id == Scan.id)
    there = exists().where(
        Sighting.scan_id == Scan.id, Sighting.superseded_at.is_(None), Sighting.gone_at.is_(None)
    )
    while page := list(islice(left, _PAGE)):
        s.execute(
            update(Scan)
            .where(Scan.id.in_(page), made, there)
            .values(names_due_at=now)
            .execution_options(synchronize_session=False)
        )


def any_names_due(s: Session) -> bool:
    """Whether the names of any derivative are still to be looked at, now or later."""
    return s.scalar(select(Scan.id).where(Scan.names_due_at.is_not(None)).limit(1)) is not None


def scans_with_names_due(s: Session, limit: int, *, now: dt.datetime | None = None) -> list[int]:
    """Return scans whose derivatives' names are to be looked at now, those due for longest first."""
    now = now or current_time(s)
    due = select(Scan.id).where(Scan.names_due_at <= now).order_by(Scan.names_due_at, Scan.id).limit(limit)
    return list(s.scalars(due))


def postpone_names(
    s: Session, scan_ids: Collection[int], pause: dt.timedelta, *, now: dt.datetime | None = None
) -> list[int]:
    """Have due scans looked at only after a pause; return those that were due, the caller's until then.

    Two callers never get the same scan.
    """
    now = now or current_time(s)
    return list(
        s.scalars(
            update(Scan)
            .where(Scan.id.in_(scan_ids), Scan.names_due_at <= now)
            .values(names_due_at=now + pause)
            .returning(Scan.id)
            .execution_options(synchronize_session=False)
        )
    )


def clear_names_due(s: Session, scan_id: int) -> None:
    """Note that the names of a scan's derivatives agree with its places; the caller holds its lock."""
    s.execute(
        update(Scan)
        .where(Scan.id == scan_id)
        .values(names_due_at=None)
        .execution_options(synchronize_session=False)
    )


def locked_scan_places(s: Session, scan_id: int, root: str) -> ScanPlaces | None:
    """Return `scan_places` of a scan, locked against changes until the transaction ends."""
    lock_scan(s, scan_id)
    return scan_places(s, scan_id, root)


def scan_places(s: Session, scan_id: int, root: str) -> ScanPlaces | None:
    """Return where a scan was seen below `root` and the names of what was made of it; None for no scan."""
    digest = s.scalar(select(Scan.sha256).where(Scan.id == scan_id))
    if digest is None:
        return None
    seen = s.execute(
        select(Sighting.path, Sighting.superseded_at, Sighting.gone_at)
        .where(Sighting.scan_id == scan_id, Sighting.root == root)
        .order_by(Sighting.id)
    ).all()
    present = {row.path: None for row in seen if row.superseded_at is None and row.gone_at is None}
    past = frozenset(row.path for row in seen) - present.keys()
    return ScanPlaces(scan_id, digest, tuple(present), past, _derivatives(s, scan_id))


def name_owner(s: Session, root: str, path: bytes) -> int | None:
    """Return the derivative that has this name, as its first or a further one; None if it is free."""
    digest = sha256(path).digest()
    first = select(Derivative.id).where(Derivative.root == root, Derivative.path_sha256 == digest)
    link = select(Link.derivative_id).where(
        Link.root == root, Link.path_sha256 == digest, Link.withdrawn_at.is_(None)
    )
    owner = s.scalar(first)
    return owner if owner is not None else s.scalar(link)


def links_of(s: Session, derivative_ids: Collection[int]) -> dict[int, list[DerivativeName]]:
    """Return the further names of derivatives, by the derivative's id, in order of their making."""
    found: dict[int, list[DerivativeName]] = {}
    left = iter(sorted(derivative_ids))
    columns = (Link.derivative_id, Link.id, Link.root, Link.path, Link.display)
    while page := list(islice(left, _PAGE)):
        query = select(*columns).where(Link.derivative_id.in_(page), Link.withdrawn_at.is_(None))
        for owner, link_id, root, path, display in s.execute(query.order_by(Link.id)):
            found.setdefault(owner, []).append(DerivativeName(link_id, root, path, display))
    return found


def enter_link(
    s: Session,
    derivative_id: int,
    name: DerivativeName,
    *,
    copied: bool = False,
    detail: Mapping[str, Any] | None = None,
    kind: EventType = EventType.REPLICATION,
    agent: AgentName = SAEK,
    now: dt.datetime | None = None,
) -> bool:
    """Enter one more name of a derivative, with the event that says so; False if the name is on record.

    `name.link_id` is not looked at. `detail` is added to the event.
    """
    now = now or current_time(s)
    if name_owner(s, name.root, name.path) is not None:
        return False
    facts = {
        "derivative_id": derivative_id,
        "root": name.root,
        "path": name.path,
        "path_sha256": sha256(name.path).digest(),
        "display": name.display,
        "copied": copied,
        "created_at": now,
    }
    link_id = insert_or_ignore(s, Link, facts, ("root", "path_sha256"), where=Link.withdrawn_at.is_(None))
    if link_id is None:
        return False
    first = s.execute(
        select(Derivative.display, Derivative.scan_id, Derivative.job_id).where(
            Derivative.id == derivative_id
        )
    ).one()
    told = {"name": name.display, "of": first.display}
    event = NewEvent(
        kind,
        {**told, **(detail or {})},
        agent=agent,
        scan_id=first.scan_id,
        job_id=first.job_id,
        derivative_id=derivative_id,
    )
    events.append(s, [event], at=now)
    return True


def mark_copies(s: Session, root: str, paths: Collection[bytes]) -> None:
    """Note that these names are copies, since their file system makes no hard links."""
    s.execute(
        update(Link)
        .where(Link.root == root, Link.path_sha256.in_([sha256(path).digest() for path in paths]))
        .where(Link.withdrawn_at.is_(None))
        .values(copied=True)
        .execution_options(synchronize_session=False)
    )


def abandon_name(
    s: Session,
    made: NamedDerivative,
    name: DerivativeName,
    reason: str,
    *,
    agent: AgentName = SAEK,
    now: dt.datetime | None = None,
) -> None:
    """Note that a derivative could not get a further name, with the event that says why."""
    now = now or current_time(s)
    ended = s.execute(
        update(Link)
        .where(Link.derivative_id == made.derivative_id, Link.path_sha256 == sha256(name.path).digest())
        .where(Link.withdrawn_at.is_(None))
        .values(withdrawn_at=now)
        .returning(Link.id)
        .execution_options(synchronize_session=False)
    ).all()
    if ended:
        _note_deletion(s, made, {"name": name.display, "reason": reason}, agent, now)


def withdraw_name(
    s: Session,
    made: NamedDerivative,
    name: DerivativeName,
    kept: DerivativeName,
    *,
    agent: AgentName = SAEK,
    now: dt.datetime | None = None,
) -> None:
    """Note that a derivative no longer has a name, while it keeps another one, with the event that says so.

    Of the first name `kept` takes the place: it must be a link then.
    """
    now = now or current_time(s)
    if name.link_id is None:
        s.execute(
            update(Derivative)
            .where(Derivative.id == made.derivative_id)
            .values(**_place(kept))
            .execution_options(synchronize_session=False)
        )
    ended = kept.link_id if name.link_id is None else name.link_id
    s.execute(
        update(Link)
        .where(Link.id == ended)
        .values(withdrawn_at=now, **_place(name))
        .execution_options(synchronize_session=False)
    )
    _note_deletion(s, made, {"name": name.display, "kept": kept.display}, agent, now)


def _note_deletion(
    s: Session, made: NamedDerivative, detail: Mapping[str, str], agent: AgentName, now: dt.datetime
) -> None:
    scan_id = s.scalar(select(Derivative.scan_id).where(Derivative.id == made.derivative_id))
    event = NewEvent(
        EventType.DELETION,
        detail,
        agent=agent,
        scan_id=scan_id,
        job_id=made.job_id,
        derivative_id=made.derivative_id,
    )
    events.append(s, [event], at=now)


def _place(name: DerivativeName) -> dict[str, Any]:
    return {
        "root": name.root,
        "path": name.path,
        "path_sha256": sha256(name.path).digest(),
        "display": name.display,
    }


def _derivatives(s: Session, scan_id: int) -> tuple[NamedDerivative, ...]:
    rows: Sequence[Any] = s.execute(
        select(
            Derivative.id,
            Derivative.job_id,
            Recipe.fingerprint,
            Derivative.bytes,
            Derivative.sha256,
            Derivative.root,
            Derivative.path,
            Derivative.display,
        )
        .join(Job, Job.id == Derivative.job_id)
        .join(Recipe, Recipe.id == Job.recipe_id)
        .where(Derivative.scan_id == scan_id)
        .order_by(Derivative.id)
    ).all()
    links = links_of(s, [row.id for row in rows])
    return tuple(
        NamedDerivative(
            derivative_id=row.id,
            job_id=row.job_id,
            fingerprint=row.fingerprint,
            bytes=row.bytes,
            sha256=row.sha256,
            names=(DerivativeName(None, row.root, row.path, row.display), *links.get(row.id, ())),
        )
        for row in rows
    )
