"""Whether the events on record are those that were sealed."""

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.audit.canonical_form import FIRST_PREVIOUS, SealDigest, select_events
from db.audit.hash_chain import SealFacts, count_unsealed, last_seal
from db.core import schema
from db.core.engine import Database
from db.core.schema import Event
from db.core.triggers import missing_triggers

_PAGE: Final = 500
_STREAM: Final = 1000
_TOLD: Final = 100


class ChainFaultKind(StrEnum):
    """In which way a seal does not hold."""

    EVENTS_CHANGED = "events changed"
    EVENTS_REMOVED = "events removed"
    EVENTS_ADDED = "events added"
    SEAL_ALTERED = "seal altered"
    SEAL_MISSING = "seal missing"
    SEAL_UNEXPECTED = "not the seal that was written down"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """A seal that does not hold. `events` is how many were removed or added, or how many it covers."""

    seal: int
    what: ChainFaultKind
    first_event_id: int | None
    last_event_id: int | None
    events: int | None


@dataclass(slots=True)
class ChainVerification:
    """What came of a look at the seals: unbroken is what has no `broken`.

    `seals` are on record, `proved` of them were computed anew, which is fewer when the time ran out;
    `unsealed` events came after the last one. `broken` names the first hundred in order, `breaks` counts all.
    """

    seals: int = 0
    proved: int = 0
    events: int = 0
    unsealed: int = 0
    last: SealFacts | None = None
    breaks: int = 0
    broken: list[ChainFault] = field(default_factory=list)
    missing_triggers: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether no seal that was looked at is broken."""
        return self.breaks == 0


def verify_chain(
    database: Database,
    *,
    expected: Mapping[int, str] | None = None,
    go_on: Callable[[], bool] | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> ChainVerification:
    """Compute all seals anew and compare them with the record, in bounded memory; only reads.

    `expected` are sha256 of seals that were written down elsewhere. Once `go_on` says no, the seals that are
    left are only compared with each other; the look begins at a random one then, so that short looks cover
    all in the long run. `tell` hears how many seals of how many are done.
    """
    proof = ChainVerification()
    with database.read() as s:
        proof.missing_triggers = missing_triggers(s)
        proof.last = last_seal(s)
        proof.unsealed = count_unsealed(s, proof.last)
        proof.seals = s.scalars(select(func.count()).select_from(schema.Seal)).one()
        _note(proof, _unexpected(s, expected or {}))
    for before, seal in _pairs(database):
        _note(proof, _loose_links(before, seal))
    top = proof.last.id if proof.last else 0
    start = 0 if go_on is None else random.randrange(top + 1)  # noqa: S311  (no secret)
    for before, seal in itertools.chain(_pairs(database, start, top), _pairs(database, 0, start)):
        if go_on is not None and not go_on():
            break
        _note(proof, _loose_block(database, before, seal))
        proof.proved += 1
        proof.events += seal.events
        if tell is not None:
            tell(proof.proved, proof.seals)
    proof.broken.sort(key=lambda broken: broken.seal)
    return proof


def _note(proof: ChainVerification, found: Iterable[ChainFault]) -> None:
    for broken in found:
        proof.breaks += 1
        if len(proof.broken) < _TOLD:
            proof.broken.append(broken)


def _pairs(
    database: Database, after: int = 0, until: int | None = None
) -> Iterator[tuple[SealFacts | None, SealFacts]]:
    """Yield each seal in order with the one on record before it, those after one number up to another."""
    table = schema.Seal.__table__
    with database.read() as s:
        row = s.execute(select(table).where(schema.Seal.id == after)).one_or_none()
    before = None if row is None else SealFacts(*row)
    while True:
        query = select(table).where(schema.Seal.id > after).order_by(schema.Seal.id).limit(_PAGE)
        if until is not None:
            query = query.where(schema.Seal.id <= until)
        with database.read() as s:
            page = [SealFacts(*row) for row in s.execute(query)]
        for seal in page:
            yield before, seal
            before, after = seal, seal.id
        if len(page) < _PAGE:
            return


def _unexpected(s: Session, expected: Mapping[int, str]) -> Iterator[ChainFault]:
    for number, sha256 in expected.items():
        found = s.scalar(select(schema.Seal.sha256).where(schema.Seal.id == number))
        if found is None:
            yield ChainFault(number, ChainFaultKind.SEAL_MISSING, None, None, None)
        elif found != sha256:
            yield ChainFault(number, ChainFaultKind.SEAL_UNEXPECTED, None, None, None)


def _loose_links(before: SealFacts | None, seal: SealFacts) -> Iterator[ChainFault]:
    """Yield what is amiss between a seal and the one before it, whatever the events."""
    due = before.id + 1 if before else 1
    for number in range(due, min(seal.id, due + _TOLD)):
        yield ChainFault(number, ChainFaultKind.SEAL_MISSING, None, None, None)
    previous = before.sha256 if before else FIRST_PREVIOUS
    if seal.id == due and seal.previous_sha256 != previous:
        yield _broken(seal, ChainFaultKind.SEAL_ALTERED)


def _loose_block(database: Database, before: SealFacts | None, seal: SealFacts) -> Iterator[ChainFault]:
    """Yield how the events under a seal differ from those that were sealed."""
    follows = seal.id == (before.id + 1 if before else 1)
    after = (before.last_event_id if before else 0) if follows else seal.first_event_id - 1
    digest = SealDigest()
    query = select_events().where(Event.id > after, Event.id <= seal.last_event_id)
    try:
        with database.read() as s:
            for event in s.execute(query.execution_options(yield_per=_STREAM)):
                digest.add(event)
    except (ValueError, TypeError):  # what stands there is not even a time or JSON any more
        yield _broken(seal, ChainFaultKind.EVENTS_CHANGED)
        return
    if (
        digest.events
        and digest.close(seal.id, seal.form, seal.previous_sha256, seal.sealed_at) == seal.sha256
    ):
        stated = (seal.events, seal.first_event_id, seal.last_event_id)
        if stated != (digest.events, digest.first_event_id, digest.last_event_id):
            yield _broken(seal, ChainFaultKind.SEAL_ALTERED)
        return
    more = digest.events - seal.events
    if more == 0:
        yield _broken(seal, ChainFaultKind.EVENTS_CHANGED)
    else:
        yield _broken(
            seal, ChainFaultKind.EVENTS_ADDED if more > 0 else ChainFaultKind.EVENTS_REMOVED, abs(more)
        )


def _broken(seal: SealFacts, what: ChainFaultKind, events: int | None = None) -> ChainFault:
    count = seal.events if events is None else events
    return ChainFault(seal.id, what, seal.first_event_id, seal.last_event_id, count)
