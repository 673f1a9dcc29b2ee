"""What a whole verification does, in which order, and within which budget."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from db.audit import (
    ChainVerification,
    CheckSummary,
    ChosenFiles,
    Due,
    DueAmount,
    FileCheck,
    RecordedFile,
    SealFacts,
    amount_due,
    check_summary,
    forget_future_checks,
    last_seal,
    seal_events,
    verify_chain,
)
from db.core import Database
from db.vocabulary import Finding, Holding
from worker.fixity.checking import ROOTS, Budget, Tally, check_files
from worker.fixity.folders import Folder, FolderAway
from worker.fixity.orphans import Orphans, find_orphans
from worker.fixity.reading import RateLimit
from worker.fixity.remedies import remedy

_TOLD: Final = 1000
_SHARE: Final = 0.25
"""Part of a budget of time that events, and then orphans, may take before the files have their turn."""


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """What a verification is to do: which parts, which files, how long and how fast."""

    holdings: tuple[Holding, ...]
    orphans: bool
    events: bool
    due: Due
    chosen: ChosenFiles | None = None
    seconds: float | None = None
    bytes_per_second: float | None = None
    files: int | None = None
    expected: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """Who hears how far it is: seals of how many, files looked at, a file begun, a file checked."""

    proving: Callable[[int, int], None]
    looking: Callable[[int], None]
    begin: Callable[[RecordedFile], None]
    tell: Callable[[FileCheck], None]


@dataclass(frozen=True, slots=True)
class Attention:
    """A file that was not found intact, and what to do about it."""

    check: FileCheck
    remedy: str


@dataclass(slots=True)
class VerifyResult:
    """What came of a verification; None for what was not asked for.

    `attention` names the first thousand files that this run did not find intact; `standings` tells of all
    files by their last checks, and is left out where files were chosen. `seal` is the newest at the end.
    """

    tally: Tally
    seconds: float = 0.0
    attention: list[Attention] = field(default_factory=list)
    standings: dict[Holding, CheckSummary] = field(default_factory=dict)
    orphans: Orphans | None = None
    proof: ChainVerification | None = None
    seal: SealFacts | None = None

    @property
    def well(self) -> bool:
        """Whether nothing needs attention, by this run and by the last checks of all files."""
        amiss = sum(
            count
            for stand in self.standings.values()
            for finding, count in stand.findings.items()
            if finding is not Finding.INTACT
        )
        strays = self.orphans is not None and (self.orphans.count > 0 or bool(self.orphans.unreadable))
        forged = self.proof is not None and (not self.proof.unbroken or bool(self.proof.missing_triggers))
        return not (amiss or self.tally.amiss or self.tally.away or strays or forged)


@dataclass(frozen=True, slots=True)
class VerifyEstimate:
    """What a verification would read: files by kind, seals with the events under them."""

    files: Mapping[Holding, DueAmount]
    seals: int | None


def estimate_verification(database: Database, asked: VerifyRequest) -> VerifyEstimate:
    """Return what a verification would read; only reads the record."""
    with database.read() as s:
        files = {
            holding: amount_due(
                s, holding, asked.due, None if asked.chosen is None else asked.chosen[holding]
            )
            for holding in asked.holdings
        }
        last = last_seal(s)
    return VerifyEstimate(files, (last.id if last else 0) if asked.events else None)


def verify_record(
    database: Database, folders: Mapping[str, Path], asked: VerifyRequest, listener: VerifyProgress
) -> VerifyResult:
    """Prove the events, look for orphans, read files again, and seal the events that this adds.

    `folders` are those behind the roots of the record. An interruption loses nothing but the file that is
    being read. Raises `DatabaseUnavailable`.
    """
    began = time.monotonic()
    done = VerifyResult(Tally())
    if asked.events:
        seal_events(database)
        go_on = None if asked.seconds is None else _until(began + _SHARE * asked.seconds)
        done.proof = verify_chain(database, expected=asked.expected, go_on=go_on, tell=listener.proving)
    if asked.orphans:
        done.orphans = _orphans(database, folders, asked, done, listener)
    if asked.holdings:
        until = None if asked.seconds is None else began + asked.seconds
        _check(database, folders, asked, done, listener, until=until)
    seal_events(database)
    with database.read() as s:
        done.seal = last_seal(s)
    done.seconds = time.monotonic() - began
    return done


def _orphans(
    database: Database,
    folders: Mapping[str, Path],
    asked: VerifyRequest,
    done: VerifyResult,
    listener: VerifyProgress,
) -> Orphans:
    outbox = folders[ROOTS[Holding.DERIVATIVE]]
    try:
        Folder.found(outbox, may_be_empty=True)
    except FolderAway as error:
        done.tally.away[ROOTS[Holding.DERIVATIVE]] = str(error)
        return Orphans(complete=False)
    share = None if asked.seconds is None else time.monotonic() + _SHARE * asked.seconds

    def go_on(files: int) -> bool:
        listener.looking(files)
        return share is None or time.monotonic() < share

    return find_orphans(database, outbox, go_on)


def _check(
    database: Database,
    folders: Mapping[str, Path],
    asked: VerifyRequest,
    done: VerifyResult,
    listener: VerifyProgress,
    *,
    until: float | None,
) -> None:
    def tell(check: FileCheck) -> None:
        listener.tell(check)
        if check.finding is not Finding.INTACT and len(done.attention) < _TOLD:
            with database.read() as s:
                done.attention.append(Attention(check, remedy(s, check)))

    database.run(forget_future_checks)
    away = done.tally.away
    done.tally = check_files(
        database,
        folders,
        asked.holdings,
        asked.due,
        pace=RateLimit(asked.bytes_per_second),
        budget=Budget(until, asked.files),
        chosen=asked.chosen,
        begin=listener.begin,
        tell=tell,
    )
    done.tally.away = away | done.tally.away
    if asked.chosen is None:
        with database.read() as s:
            done.standings = {
                holding: check_summary(s, holding, gone=asked.due.gone) for holding in asked.holdings
            }


def _until(moment: float) -> Callable[[], bool]:
    return lambda: time.monotonic() < moment
