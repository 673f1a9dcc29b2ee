"""Fixity checks: the files that are due are read again, one by one, and the findings are recorded."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from db.audit import ChosenFiles, Due, FileCheck, RecordedFile, due_files, record_checks
from db.core import Database
from db.vocabulary import Finding, Holding
from worker.fixity.folders import Folder, FolderAway
from worker.fixity.reading import FileMissing, FileUnreadable, NotRegularFile, RateLimit, hash_file

_BATCH: Final = 100
_BATCH_SECONDS: Final = 5.0
"""Number of checks in one transaction, and seconds after which fewer are recorded."""

HOLDING_ROOTS: Final[Mapping[Holding, str]] = {
    Holding.MASTER: "inbox",
    Holding.DERIVATIVE: "outbox",
    Holding.LINK: "outbox",
}
"""Name of the root that holds the files of a kind."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a run: a time of `time.monotonic`, and a number of files; a begun file is finished."""

    until: float | None = None
    files: int | None = None

    def spent(self) -> bool:
        """Return whether the time is up."""
        return self.until is not None and time.monotonic() >= self.until


@dataclass(slots=True)
class Tally:
    """The findings of a run, what stopped it (`seconds` or `limit`), and why roots are away, by name."""

    counts: dict[Holding, dict[Finding, int]] = field(
        default_factory=lambda: {holding: dict.fromkeys(Finding, 0) for holding in Holding}
    )
    bytes: int = 0
    stopped: str | None = None
    away: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> int:
        """Number of files that were checked."""
        return sum(sum(found.values()) for found in self.counts.values())

    @property
    def not_intact(self) -> int:
        """Number of files that were not intact."""
        return self.files - sum(found[Finding.INTACT] for found in self.counts.values())


def check_files(
    database: Database,
    folders: Mapping[str, Path],
    holdings: Collection[Holding],
    due: Due,
    *,
    pace: RateLimit,
    budget: Budget,
    chosen: ChosenFiles | None = None,
    begin: Callable[[RecordedFile], None] | None = None,
    checked: Callable[[FileCheck], None] | None = None,
) -> Tally:
    """Check the files that are due, the longest unchecked first, until none is left or the budget is spent.

    `begin` is called before each file, `checked` after it. Findings are recorded in short transactions, also
    when the run is interrupted. Files in a folder that is away are skipped. Raises `DatabaseUnavailable`;
    files whose findings were not recorded are read again next time.
    """
    tally, there = Tally(), {}
    for holding in holdings:
        present = _any_due(database, holding, replace(due, gone=False), chosen)
        if not present and not _any_due(database, holding, due, chosen):
            continue
        try:
            there[holding] = Folder.found(folders[HOLDING_ROOTS[holding]], may_be_empty=not present)
        except FolderAway as error:
            tally.away[HOLDING_ROOTS[holding]] = str(error)
    with _recording(database) as enter:
        for held in due_files(database, list(there), due, chosen):
            folder = there[held.holding]
            if HOLDING_ROOTS[held.holding] in tally.away:
                continue
            if budget.spent() or tally.files == budget.files:
                tally.stopped = "seconds" if budget.spent() else "limit"
                break
            if begin is not None:
                begin(held)
            check = check_file(held, folder.path, pace)
            if check.finding in {Finding.MISSING, Finding.UNREADABLE}:
                try:
                    folder.still_there()
                except FolderAway as error:
                    tally.away[HOLDING_ROOTS[held.holding]] = str(error)
                    continue
            tally.counts[held.holding][check.finding] += 1
            tally.bytes += check.bytes or 0
            enter(check)
            if checked is not None:
                checked(check)
    return tally


def check_file(held: RecordedFile, root: Path, pace: RateLimit) -> FileCheck:
    """Read one file again and compare it with the record; records nothing."""
    try:
        if held.root != HOLDING_ROOTS[held.holding]:
            raise FileUnreadable(f"the record names a root {held.root!r}, which is not one of Saek's")
        read = hash_file(root, held.path, pace)
    except FileMissing:
        return FileCheck(held, Finding.MISSING)
    except NotRegularFile as error:
        return FileCheck(held, Finding.CHANGED, str(error))
    except FileUnreadable as error:
        return FileCheck(held, Finding.UNREADABLE, str(error))
    if read.sha256 == held.sha256:
        return FileCheck(held, Finding.INTACT, None, read.sha256, read.size)
    written_to = (held.size, held.mtime_ns) != (read.size, read.mtime_ns)
    if held.holding is Holding.MASTER and written_to:
        reason = "it was written to since it was last seen"
        return FileCheck(held, Finding.REWRITTEN, reason, read.sha256, read.size)
    kept = ", though its size and time are as recorded" if held.holding is Holding.MASTER else ""
    return FileCheck(
        held, Finding.CHANGED, f"it holds other bytes than recorded{kept}", read.sha256, read.size
    )


def _any_due(database: Database, holding: Holding, due: Due, chosen: ChosenFiles | None) -> bool:
    return next(due_files(database, [holding], due, chosen), None) is not None


@contextmanager
def _recording(database: Database) -> Iterator[Callable[[FileCheck], None]]:
    """Yield a function that records checks in batches; the rest is recorded on leaving, also by an error."""
    waiting: list[FileCheck] = []
    last = time.monotonic()

    def flush() -> None:
        nonlocal last
        if waiting:
            database.run(lambda s: record_checks(s, waiting))
        waiting.clear()
        last = time.monotonic()

    def enter(check: FileCheck) -> None:
        waiting.append(check)
        if len(waiting) >= _BATCH or time.monotonic() - last >= _BATCH_SECONDS:
            flush()

    try:
        yield enter
    finally:
        flush()
