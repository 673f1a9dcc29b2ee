"""Names of derivatives in the outbox: hard links, or copies, to the first one."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from db.catalog.quarantine import lock_scan
from db.core import events
from db.core.batches import batches
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Derivative, Link, Recipe, Scan, Sighting
from db.core.upsert import insert_or_ignore
from db.values import SAEK, AgentName
from db.vocabulary import EventType

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class DerivativeName:
    """A name of a derivative; `link_id` is None for the first one, which the table `derivative` holds."""

    link_id: int | None
    root: str
    path: bytes
    display: str


@dataclass(frozen=True, slots=True)
class NamedDerivative:
    """A derivative with all of its names in order."""

    derivative_id: int
    job_id: int
    fingerprint: str
    bytes: int
    sha256: str
    names: tuple[DerivativeName, ...]


@dataclass(frozen=True, slots=True)
class ScanPlaces:
    """The paths of a scan in the inbox and the names of its derivatives in the outbox.

    `present` are the paths that hold the scan now, in the order in which they were first seen. `past` are
    those that no longer do.
    """

    scan_id: int
    sha256: str
    present: tuple[bytes, ...]
    past: frozenset[bytes]
    derivatives: tuple[NamedDerivative, ...]


def locked_scan_places(s: Session, scan_id: int, root: str) -> ScanPlaces | None:
    """Return `scan_places` of a scan and lock the scan until the transaction ends."""
    lock_scan(s, scan_id)
    return scan_places(s, scan_id, root)


def scan_places(s: Session, scan_id: int, root: str) -> ScanPlaces | None:
    """Return the paths of a scan below `root` and the names of its derivatives; None for an unknown scan."""
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
    made = named_derivatives(s, Derivative.scan_id == scan_id)
    return ScanPlaces(scan_id, digest, tuple(present), past, tuple(made))


def name_owner(s: Session, root: str, path: bytes) -> int | None:
    """Return the id of the derivative that has this name, None if the name is free."""
    digest = sha256(path).digest()
    first = select(Derivative.id).where(Derivative.root == root, Derivative.path_sha256 == digest)
    link = select(Link.derivative_id).where(
        Link.root == root, Link.path_sha256 == digest, Link.withdrawn_at.is_(None)
    )
    owner = s.scalar(first)
    return owner if owner is not None else s.scalar(link)


def links_of(s: Session, derivative_ids: Collection[int]) -> dict[int, list[DerivativeName]]:
    """Return the further names of derivatives by derivative id, in order of creation."""
    found: dict[int, list[DerivativeName]] = {}
    columns = (Link.derivative_id, Link.id, Link.root, Link.path, Link.display)
    for page in batches(sorted(derivative_ids)):
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
    """Enter a further name of a derivative with its event; False if the name is taken.

    `name.link_id` is ignored. `detail` is added to the event.
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
    event = NewEvent(
        kind,
        {"name": name.display, "of": first.display, **(detail or {})},
        agent=agent,
        scan_id=first.scan_id,
        job_id=first.job_id,
        derivative_id=derivative_id,
    )
    events.append(s, [event], at=now)
    return True


def mark_copies(s: Session, root: str, paths: Collection[bytes]) -> None:
    """Mark names as copies, where the file system does not support hard links."""
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
    """Withdraw a further name that could not be created, with an event that gives the reason."""
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
        _append_deletion(s, made, {"name": name.display, "reason": reason}, agent, now)


def withdraw_name(
    s: Session,
    made: NamedDerivative,
    name: DerivativeName,
    kept: DerivativeName,
    *,
    agent: AgentName = SAEK,
    now: dt.datetime | None = None,
) -> None:
    """Withdraw a name of a derivative that keeps the name `kept`, with the event of the deletion.

    If `name` is the first name, `kept`, which must be a link, becomes the first one.
    """
    now = now or current_time(s)
    if name.link_id is None:
        s.execute(
            update(Derivative)
            .where(Derivative.id == made.derivative_id)
            .values(**_columns(kept))
            .execution_options(synchronize_session=False)
        )
    ended = kept.link_id if name.link_id is None else name.link_id
    s.execute(
        update(Link)
        .where(Link.id == ended)
        .values(withdrawn_at=now, **_columns(name))
        .execution_options(synchronize_session=False)
    )
    _append_deletion(s, made, {"name": name.display, "kept": kept.display}, agent, now)


def _append_deletion(
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


def _columns(name: DerivativeName) -> dict[str, Any]:
    return {
        "root": name.root,
        "path": name.path,
        "path_sha256": sha256(name.path).digest(),
        "display": name.display,
    }


def named_derivatives(
    s: Session, *conditions: ColumnElement[bool], limit: int | None = None
) -> list[NamedDerivative]:
    """Return derivatives that meet the conditions with all of their names, in order of id."""
    rows = s.execute(
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
        .join(Recipe, Recipe.id == Derivative.recipe_id)
        .where(*conditions)
        .order_by(Derivative.id)
        .limit(limit)
    ).all()
    links = links_of(s, [row.id for row in rows])
    return [
        NamedDerivative(
            derivative_id=row.id,
            job_id=row.job_id,
            fingerprint=row.fingerprint,
            bytes=row.bytes,
            sha256=row.sha256,
            names=(DerivativeName(None, row.root, row.path, row.display), *links.get(row.id, ())),
        )
        for row in rows
    ]


def recorded_derivatives(s: Session) -> Iterator[NamedDerivative]:
    """Yield all derivatives in order of id, in bounded memory; writing between two steps is safe."""
    last = 0
    while page := named_derivatives(s, Derivative.id > last, limit=_PAGE):
        yield from page
        last = page[-1].derivative_id


def latest_derivative_paths(s: Session, most: int = 20) -> list[bytes]:
    """Return the paths of the derivatives that were made last, newest first."""
    return list(s.scalars(select(Derivative.path).order_by(Derivative.created_at.desc()).limit(most)))
