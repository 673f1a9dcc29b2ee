"""What `saek verify` does: check events, orphans and files in this order, within a budget."""

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
from worker.fixity.checks import HOLDING_ROOTS, Budget, Tally, check_files
from worker.fixity.folders import Folder, FolderAway
from worker.fixity.orphans import Orphans, find_orphans
from worker.fixity.reading import RateLimit
from worker.fixity.remedies import remedy

_MAX_LISTED: Final = 1000
_SHARE: Final = 0.25
"""Maximum share of the time budget for the events, and again for the orphans, before the files."""


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """The scope, files and limits of a verification."""

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
    """Functions called for each seal (with the total), files searched, a file begun, and a file checked."""

    seal_verified: Callable[[int, int], None]
    files_searched: Callable[[int], None]
    file_begun: Callable[[RecordedFile], None]
    file_checked: Callable[[FileCheck], None]


@dataclass(frozen=True, slots=True)
class Attention:
    """A file that was not found intact, and what to do about it."""

    check: FileCheck
    remedy: str


@dataclass(slots=True)
class VerifyResult:
    """The result of a verification; None for a part that was not requested.

    `attention` lists the first thousand files that were not intact in this run. `standings` summarizes the
    last checks of all files, and is empty if files were chosen. `seal` is the newest one at the end.
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
        """True if nothing needs attention, by this run and by the last checks of all files."""
        not_intact = sum(
            count
            for summary in self.standings.values()
            for finding, count in summary.findings.items()
            if finding is not Finding.INTACT
        )
        orphans = self.orphans is not None and (self.orphans.count > 0 or bool(self.orphans.unreadable))
        forged = self.proof is not None and (not self.proof.unbroken or bool(self.proof.missing_triggers))
        return not (not_intact or self.tally.not_intact or self.tally.away or orphans or forged)


@dataclass(frozen=True, slots=True)
class VerifyEstimate:
    """Amounts that a verification would read: files by kind, and the number of seals."""

    files: Mapping[Holding, DueAmount]
    seals: int | None


def estimate_verification(database: Database, request: VerifyRequest) -> VerifyEstimate:
    """Return what a verification would read; only reads the record."""
    with database.read() as s:
        files = {
            holding: amount_due(
                s, holding, request.due, None if request.chosen is None else request.chosen[holding]
            )
            for holding in request.holdings
        }
        last = last_seal(s)
    return VerifyEstimate(files, (last.id if last else 0) if request.events else None)


def verify_record(
    database: Database, folders: Mapping[str, Path], request: VerifyRequest, progress: VerifyProgress
) -> VerifyResult:
    """Verify the events, find orphans, read files again, and seal the events that this adds.

    `folders` are the folders of the roots in the record. An interruption loses only the file that is being
    read. Raises `DatabaseUnavailable`.
    """
    began = time.monotonic()
    result = VerifyResult(Tally())
    if request.events:
        seal_events(database)
        go_on = None if request.seconds is None else _until(began + _SHARE * request.seconds)
        result.proof = verify_chain(
            database, expected=request.expected, go_on=go_on, tell=progress.seal_verified
        )
    if request.orphans:
        result.orphans = _orphans(database, folders, request, result, progress)
    if request.holdings:
        until = None if request.seconds is None else began + request.seconds
        _check(database, folders, request, result, progress, until=until)
    seal_events(database)
    with database.read() as s:
        result.seal = last_seal(s)
    result.seconds = time.monotonic() - began
    return result


def _orphans(
    database: Database,
    folders: Mapping[str, Path],
    request: VerifyRequest,
    result: VerifyResult,
    progress: VerifyProgress,
) -> Orphans:
    outbox = folders[HOLDING_ROOTS[Holding.DERIVATIVE]]
    try:
        Folder.found(outbox, may_be_empty=True)
    except FolderAway as error:
        result.tally.away[HOLDING_ROOTS[Holding.DERIVATIVE]] = str(error)
        return Orphans(complete=False)
    share = None if request.seconds is None else time.monotonic() + _SHARE * request.seconds

    def go_on(files: int) -> bool:
        progress.files_searched(files)
        return share is None or time.monotonic() < share

    return find_orphans(database, outbox, go_on)


def _check(
    database: Database,
    folders: Mapping[str, Path],
    request: VerifyRequest,
    result: VerifyResult,
    progress: VerifyProgress,
    *,
    until: float | None,
) -> None:
    def note(check: FileCheck) -> None:
        progress.file_checked(check)
        if check.finding is not Finding.INTACT and len(result.attention) < _MAX_LISTED:
            with database.read() as s:
                result.attention.append(Attention(check, remedy(s, check)))

    database.run(forget_future_checks)
    away = result.tally.away
    result.tally = check_files(
        database,
        folders,
        request.holdings,
        request.due,
        pace=RateLimit(request.bytes_per_second),
        budget=Budget(until, request.files),
        chosen=request.chosen,
        begin=progress.file_begun,
        checked=note,
    )
    result.tally.away = away | result.tally.away
    if request.chosen is None:
        with database.read() as s:
            result.standings = {
                holding: check_summary(s, holding, gone=request.due.gone) for holding in request.holdings
            }


def _until(moment: float) -> Callable[[], bool]:
    return lambda: time.monotonic() < moment
