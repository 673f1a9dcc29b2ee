"""The intake of a complete file: its header is checked, it is hashed in place, and recorded.

The header is checked first, so that a file that is not a picture is not read to its end. Whatever fails about
one file ends as the quarantine of that file.
"""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import structlog

from db.core import Database
from db.errors import DatabaseError
from db.queue import MAX_ATTEMPTS, quarantine_sighting, register, register_quarantined
from db.values import NewScan, NewSighting, Problem, kept_ns
from db.vocabulary import INBOX
from restoration import (
    EmptyFile,
    FileIdentity,
    Limits,
    MasterChanged,
    MasterError,
    MissingFile,
    Reader,
    ReaderFailed,
    ScanFacts,
    Transient,
    UnreadableFile,
    UnsafeFile,
    require_storage,
)
from worker.inbox.admission import NameNotUtf8, SlowRead, check_header
from worker.inbox.conflicts import is_conflict_copy
from worker.inbox.transfers import is_incomplete
from worker.inbox.walk import Entry, stat_entry
from worker.parts.problems import problem_of, transient_cause
from worker.printable import display_path
from worker.settings import HardLinks
from worker.storage.recorded_paths import PathEscapes, master_path

MAX_SMALL_BYTES: Final = 64 << 20
"""A larger file is not read to its end while others wait, and not at all if its header is refused."""

T = TypeVar("T")

_log = structlog.get_logger()


class ReadCancelled(Exception):
    """The read was cancelled; nothing was recorded."""


class IntakeResult(StrEnum):
    """The result of the intake of a file."""

    QUEUED = "queued"
    KNOWN = "known"
    QUARANTINED = "quarantined"
    UNSETTLED = "unsettled"
    """It changed while it was read and must settle again."""
    GONE = "gone"
    """Or in a folder that cannot be read, which the rescan reports."""


@dataclass(frozen=True, slots=True)
class ExaminedFile:
    """A file whose header was checked, and which is to be read to its end now."""

    seen: NewSighting
    path: Path
    facts: ScanFacts | None
    """None if the header is refused, for the reason in `problem`."""
    problem: Problem | None

    @property
    def small(self) -> bool:
        """True if it may be read while others wait."""
        return self.seen.size <= MAX_SMALL_BYTES


@dataclass(frozen=True, slots=True)
class Intake:
    """Registers files below the folder `root` with a recipe, within limits."""

    database: Database
    root: Path
    recipe_id: int
    limits: Limits
    hard_links: HardLinks = HardLinks.REFUSE

    def examine(
        self, path: bytes, *, quickly: bool, reader: Reader | None = None
    ) -> IntakeResult | ExaminedFile:
        """Check the header of the file at `path`; return the file to be read, or the result.

        Raises SlowRead if it is to be quick and is not; else as `register_file`.
        """
        try:
            entry = stat_entry(os.fsencode(self.root), path)
        except OSError as error:
            require_storage(error, Path(os.fsdecode(path)))
            return IntakeResult.GONE
        if entry is None:
            return IntakeResult.GONE
        if is_incomplete(self.root, path, entry.size):
            return IntakeResult.UNSETTLED
        seen = _seen(entry)
        return self._quarantine_failures(
            seen, lambda: self._examine(entry, seen, quickly=quickly, reader=reader)
        )

    def register(
        self, file: ExaminedFile, progress: Callable[[int, int], None] | None = None
    ) -> IntakeResult:
        """Read a file to its end and record it; `progress(done, total)` in bytes is called between chunks.

        Raises as `register_file`, and whatever `progress` raises.
        """
        return self._quarantine_failures(file.seen, lambda: self._register(file, progress))

    def _quarantine_failures(self, seen: NewSighting, step: Callable[[], T]) -> T | IntakeResult:
        """Run `step`; any failure that is about this file ends as its quarantine."""
        try:
            return step()
        except (Transient, DatabaseError, ReadCancelled, SlowRead):
            raise
        except Exception as error:
            if isinstance(error, OSError):
                require_storage(error, Path(os.fsdecode(seen.path)))
            if transient_cause(error) is not None:
                raise
            _log.error("intake failed", file=seen.display, exc_info=error)
            problem = Problem(
                code="intake-failed",
                reason=f"an unexpected error ended its intake ({type(error).__name__})",
                remedy="report what the log of the ingester says about this file; "
                "after an update, run `saek retry`",
            )
            return self._quarantine(seen, problem)

    def _examine(
        self, entry: Entry, seen: NewSighting, *, quickly: bool, reader: Reader | None
    ) -> IntakeResult | ExaminedFile:
        try:
            path = master_path(self.root, entry.path)
            facts = check_header(path, entry, self.limits, self.hard_links, quickly=quickly, reader=reader)
        except (MissingFile, PathEscapes):
            return IntakeResult.GONE
        except (UnsafeFile, UnreadableFile, EmptyFile, NameNotUtf8) as error:
            return self._quarantine(seen, problem_of(error))
        except (MasterError, ReaderFailed) as error:
            problem = problem_of(error, MAX_ATTEMPTS if isinstance(error, ReaderFailed) else 1)
            if seen.size <= MAX_SMALL_BYTES:
                return ExaminedFile(seen, path, None, problem)
            if stat_entry(os.fsencode(self.root), entry.path) != entry:
                return IntakeResult.UNSETTLED
            return self._quarantine(seen, problem)
        return ExaminedFile(seen, path, facts, None)

    def _register(self, file: ExaminedFile, progress: Callable[[int, int], None] | None) -> IntakeResult:
        seen = file.seen
        try:
            identity = FileIdentity.read(file.path, progress)
        except MissingFile:
            return IntakeResult.GONE
        except MasterChanged:
            return IntakeResult.UNSETTLED
        except MasterError as error:
            return self._quarantine(seen, problem_of(error))
        _, inode, size, mtime_ns = identity.location
        if (inode, size, kept_ns(mtime_ns)) != (seen.inode, seen.size, seen.mtime_ns):
            return IntakeResult.UNSETTLED
        if file.problem is not None:
            return self._quarantine_content(seen, identity.sha256, file.problem)
        assert file.facts is not None  # noqa: S101  (there are facts or a problem)
        return self._queue(seen, _scan_record(identity.sha256, seen.size, file.facts))

    def _queue(self, seen: NewSighting, record: NewScan) -> IntakeResult:
        log = _log.bind(file=seen.display)
        registered = self.database.run(lambda s: register(s, seen, record, self.recipe_id))
        if registered.new_sighting and is_conflict_copy(seen.path.rpartition(b"/")[2]):
            log.warning(
                "a conflict copy: a sync tool kept it beside another version of the same file",
                remedy="compare the two and remove the one that is not wanted",
            )
        if not registered.new_job:
            log.info("known already", scan=registered.scan_id, job=registered.job_id)
            return IntakeResult.KNOWN
        log.info("queued", scan=registered.scan_id, job=registered.job_id, sha256=record.sha256[:12])
        return IntakeResult.QUEUED

    def _quarantine(self, seen: NewSighting, problem: Problem) -> IntakeResult:
        """Quarantine one file, of which no content is known."""
        _, new = self.database.run(lambda s: quarantine_sighting(s, seen, problem))
        if new:
            _log_quarantine(seen, problem)
        return IntakeResult.QUARANTINED

    def _quarantine_content(self, seen: NewSighting, sha256: str, problem: Problem) -> IntakeResult:
        """Quarantine a content whose header is refused, and so the same bytes elsewhere."""
        record = NewScan(sha256=sha256, bytes=seen.size)
        if self.database.run(lambda s: register_quarantined(s, seen, record, problem)).new_sighting:
            _log_quarantine(seen, problem)
        return IntakeResult.QUARANTINED


def register_file(
    database: Database,
    root: Path,
    path: bytes,
    recipe_id: int,
    limits: Limits,
    *,
    hard_links: HardLinks = HardLinks.REFUSE,
) -> IntakeResult:
    """Register the file at `path` (relative to the folder `root`) and queue its job in the interactive lane.

    Files in a linked folder are skipped: the link itself is quarantined.

    Raises db.errors.DatabaseError, restoration.Transient or MemoryError; nothing is recorded then, and
    the next rescan finds the file again.
    """
    intake = Intake(database, root, recipe_id, limits, hard_links)
    examined = intake.examine(path, quickly=False)
    return intake.register(examined) if isinstance(examined, ExaminedFile) else examined


def _log_quarantine(seen: NewSighting, problem: Problem) -> None:
    _log.warning(
        "quarantined", file=seen.display, code=problem.code, reason=problem.reason, remedy=problem.remedy
    )


def _seen(entry: Entry) -> NewSighting:
    display = display_path(entry.path)
    folder, _, _ = display.rpartition("/")
    return NewSighting(
        root=INBOX,
        path=entry.path,
        display=display,
        collection=folder,
        size=entry.size,
        mtime_ns=entry.mtime_ns,
        inode=entry.inode,
    )


def _scan_record(sha256: str, size: int, facts: ScanFacts) -> NewScan:
    return NewScan(
        sha256=sha256,
        bytes=size,
        format=facts.format,
        width=facts.width,
        height=facts.height,
        bands=facts.bands,
        bit_depth=facts.bit_depth,
        orientation=facts.orientation,
        icc_sha256=facts.icc_sha256,
        dpi=facts.dpi[0] if facts.dpi else None,
        facts=asdict(facts),
    )
