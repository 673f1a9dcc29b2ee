"""Verification of the hash chain: whether the events on record are those that were sealed."""

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
from db.core.trigger_check import missing_triggers

_PAGE: Final = 500
_STREAM: Final = 1000
_MAX_LISTED: Final = 100


class ChainFaultKind(StrEnum):
    """Difference of a seal from the events or from the chain."""

    EVENTS_CHANGED = "events changed"
    EVENTS_REMOVED = "events removed"
    EVENTS_ADDED = "events added"
    SEAL_ALTERED = "seal altered"
    SEAL_MISSING = "seal missing"
    SEAL_UNEXPECTED = "not the seal that was written down"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """A seal that fails verification; `events` is the number removed or added, or else covered."""

    seal: int
    what: ChainFaultKind
    first_event_id: int | None
    last_event_id: int | None
    events: int | None


@dataclass(slots=True)
class ChainVerification:
    """Result of a verification.

    `seals` are on record; `verified` of them, with `events`, were computed again: fewer if the time ran out.
    `unsealed` events follow the last seal. `faults` are the first hundred in order, `fault_count` counts all.
    """

    seals: int = 0
    verified: int = 0
    events: int = 0
    unsealed: int = 0
    last: SealFacts | None = None
    fault_count: int = 0
    faults: list[ChainFault] = field(default_factory=list)
    missing_triggers: tuple[str, ...] = ()

    @property
    def unbroken(self) -> bool:
        """True if no fault was found."""
        return self.fault_count == 0


def verify_chain(
    database: Database,
    *,
    expected: Mapping[int, str] | None = None,
    go_on: Callable[[], bool] | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> ChainVerification:
    """Compute all seals again and compare them with the record, in bounded memory; read-only.

    `expected` are digests of seals, by number, that were written down elsewhere. Once `go_on` returns False,
    the remaining seals are only compared with each other; with `go_on`, verification starts at a random seal,
    so that short runs cover all seals in the long run. `tell` is called with the numbers of seals done and of
    all seals.
    """
    result = ChainVerification()
    with database.read() as s:
        result.missing_triggers = missing_triggers(s)
        result.last = last_seal(s)
        result.unsealed = count_unsealed(s, result.last)
        result.seals = s.scalars(select(func.count()).select_from(schema.Seal)).one()
        _add(result, _expectation_faults(s, expected or {}))
    for before, seal in _pairs(database):
        _add(result, _link_faults(before, seal))
    top = result.last.id if result.last else 0
    start = 0 if go_on is None else random.randrange(top + 1)  # noqa: S311  (no secret)
    for before, seal in itertools.chain(_pairs(database, start, top), _pairs(database, 0, start)):
        if go_on is not None and not go_on():
            break
        _add(result, _event_faults(database, before, seal))
        result.verified += 1
        result.events += seal.events
        if tell is not None:
            tell(result.verified, result.seals)
    result.faults.sort(key=lambda fault: fault.seal)
    return result


def _add(result: ChainVerification, found: Iterable[ChainFault]) -> None:
    for fault in found:
        result.fault_count += 1
        if len(result.faults) < _MAX_LISTED:
            result.faults.append(fault)


def _pairs(
    database: Database, after: int = 0, until: int | None = None
) -> Iterator[tuple[SealFacts | None, SealFacts]]:
    """Yield each seal with the one before it, for the numbers after `after` up to `until`."""
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


def _expectation_faults(s: Session, expected: Mapping[int, str]) -> Iterator[ChainFault]:
    for number, sha256 in expected.items():
        found = s.scalar(select(schema.Seal.sha256).where(schema.Seal.id == number))
        if found is None:
            yield ChainFault(number, ChainFaultKind.SEAL_MISSING, None, None, None)
        elif found != sha256:
            yield ChainFault(number, ChainFaultKind.SEAL_UNEXPECTED, None, None, None)


def _link_faults(before: SealFacts | None, seal: SealFacts) -> Iterator[ChainFault]:
    """Yield the faults between a seal and the one before it, without reading events."""
    due = before.id + 1 if before else 1
    for number in range(due, min(seal.id, due + _MAX_LISTED)):
        yield ChainFault(number, ChainFaultKind.SEAL_MISSING, None, None, None)
    previous = before.sha256 if before else FIRST_PREVIOUS
    if seal.id == due and seal.previous_sha256 != previous:
        yield _fault(seal, ChainFaultKind.SEAL_ALTERED)


def _event_faults(database: Database, before: SealFacts | None, seal: SealFacts) -> Iterator[ChainFault]:
    """Yield the difference between the events of a seal and those that were sealed."""
    follows = seal.id == (before.id + 1 if before else 1)
    after = (before.last_event_id if before else 0) if follows else seal.first_event_id - 1
    digest = SealDigest()
    query = select_events().where(Event.id > after, Event.id <= seal.last_event_id)
    try:
        with database.read() as s:
            for event in s.execute(query.execution_options(yield_per=_STREAM)):
                digest.add(event)
    except (ValueError, TypeError):  # a value is no longer a valid time or JSON
        yield _fault(seal, ChainFaultKind.EVENTS_CHANGED)
        return
    if (
        digest.events
        and digest.close(seal.id, seal.form, seal.previous_sha256, seal.sealed_at) == seal.sha256
    ):
        stated = (seal.events, seal.first_event_id, seal.last_event_id)
        if stated != (digest.events, digest.first_event_id, digest.last_event_id):
            yield _fault(seal, ChainFaultKind.SEAL_ALTERED)
        return
    difference = digest.events - seal.events
    if difference == 0:
        yield _fault(seal, ChainFaultKind.EVENTS_CHANGED)
    else:
        yield _fault(
            seal,
            ChainFaultKind.EVENTS_ADDED if difference > 0 else ChainFaultKind.EVENTS_REMOVED,
            abs(difference),
        )


def _fault(seal: SealFacts, what: ChainFaultKind, events: int | None = None) -> ChainFault:
    count = seal.events if events is None else events
    return ChainFault(seal.id, what, seal.first_event_id, seal.last_event_id, count)
