"""The hash chain: events are sealed in blocks without blocking those who write them."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db.audit.canonical_form import FIRST_PREVIOUS, FORM, SealDigest, select_events
from db.core import schema
from db.core.engine import Database
from db.core.schema import Event
from db.core.upsert import insert_or_ignore
from db.values import utcnow

BLOCK: Final = 5000
"""Maximum number of events in one seal."""

_LOCK_TIMEOUT_MS: Final = 100  # how long writers may be blocked while sealing waits for open transactions
_LOCK_NOT_AVAILABLE: Final = "55P03"  # PostgreSQL's SQLSTATE


@dataclass(frozen=True, slots=True)
class SealFacts:
    """A seal on record: it covers the events after those of seal `id` - 1 up to `last_event_id`."""

    id: int
    form: int
    first_event_id: int
    last_event_id: int
    events: int
    sha256: str
    previous_sha256: str
    sealed_at: dt.datetime


def last_seal(s: Session) -> SealFacts | None:
    """Return the newest seal, None before the first."""
    row = s.execute(select(schema.Seal.__table__).order_by(schema.Seal.id.desc()).limit(1)).one_or_none()
    return None if row is None else SealFacts(*row)


def count_unsealed(s: Session, last: SealFacts | None) -> int:
    """Return how many events are not sealed yet."""
    after = last.last_event_id if last else 0
    return s.scalars(select(func.count()).select_from(Event).where(Event.id > after)).one()


def seal_events(database: Database, *, blocks: int | None = None, block: int = BLOCK) -> int:
    """Seal all events before which none can be inserted any more, in at most `blocks` seals; return how many.

    Does nothing while a transaction that adds events stays open: the next call seals them. Concurrent calls
    are safe: the second one finds the seal taken and returns.
    """
    with database.read() as s:
        last = last_seal(s)
        if count_unsealed(s, last) == 0:
            return 0
    horizon = _horizon(database)
    if horizon is None:
        return 0
    made = 0
    while blocks is None or made < blocks:
        with database.read() as s:
            seal = _next_seal(s, last, horizon, block)
        if seal is None:
            return made
        with database.begin() as s:
            if last_seal(s) != last or insert_or_ignore(s, schema.Seal, asdict(seal), ("id",)) is None:
                return made
        last = seal
        made += 1
    return made


def _horizon(database: Database) -> int | None:
    """Return an id up to which no event can be added any more, None if it cannot be determined now.

    PostgreSQL assigns ids before a transaction ends, so one that is still open may commit an id below the
    newest one. SQLite has one writer at a time.
    """
    if database.dialect == "sqlite":
        with database.read() as s:
            return s.scalar(select(func.max(Event.id))) or 0
    try:
        with database.begin() as s:
            s.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_MS}ms'"))
            found: int = s.scalars(text("SELECT event_horizon()")).one()
            return found
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            return None
        raise


def _next_seal(s: Session, last: SealFacts | None, horizon: int, block: int) -> SealFacts | None:
    """Return the seal to be added after `last`, None if there are no events to seal."""
    after = last.last_event_id if last else 0
    digest = SealDigest()
    for event in s.execute(select_events().where(Event.id > after, Event.id <= horizon).limit(block)):
        digest.add(event)
    if digest.events == 0:
        return None
    seal, previous, now = (last.id if last else 0) + 1, last.sha256 if last else FIRST_PREVIOUS, utcnow()
    return SealFacts(
        id=seal,
        form=FORM,
        first_event_id=digest.first_event_id,
        last_event_id=digest.last_event_id,
        events=digest.events,
        sha256=digest.close(seal, FORM, previous, now),
        previous_sha256=previous,
        sealed_at=now,
    )
