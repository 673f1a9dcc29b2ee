"""How a settled file becomes known: identified and hashed where it lies, recorded; never copied.

Its header is looked at first, so that what is no picture is not read to its end. Whatever goes wrong with one
file ends as the quarantine of that file.
"""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import structlog

from db.catalog import count_sightings
from db.core import Database
from db.errors import DatabaseError
from db.queue import MAX_ATTEMPTS, quarantine_sighting, register, register_quarantined
from db.values import NewScan, NewSighting, Problem, kept_ns
from db.vocabulary import INBOX
from restoration import (
    EmptyFile,
    FileIdentity,
    ImageTooLarge,
    Limits,
    MasterChanged,
    MasterError,
    MasterUnavailable,
    MissingFile,
    Reader,
    ReaderFailed,
    RestorationError,
    ScanFacts,
    Transient,
    UnreadableFile,
    UnsafeFile,
    UnsupportedImage,
    identify,
    require_storage,
)
from worker.inbox.conflicts import is_conflict_copy
from worker.inbox.transfers import is_incomplete
from worker.inbox.walk import Entry, stat_entry
from worker.parts.transient import transient_cause
from worker.printable import display_path
from worker.settings import HardLinks
from worker.storage.locate import PathEscapes, master_path

MAX_SMALL_BYTES: Final = 64 << 20
"""Bytes; a larger file is not read to its end while others wait, and not at all if its header is refused."""

_QUICK_SECONDS: Final = 3
"""So long, at most, the header of one file may keep the others waiting."""

_ANY_SIZE: Final = 1 << 30
_MOST_OVERHEAD: Final = 64
"""A file of up to so many bytes, or of so many times its decoded pixels, may hold what it likes besides."""

_LONGEST_SIDE: Final = 2**31 - 1
"""Pixels, of which PNG and the record hold no more."""

T = TypeVar("T")

_log = structlog.get_logger()


class NameNotUtf8(MasterError):
    """The name is not valid UTF-8: it could be shown to nobody as it is."""

    code = "name-not-utf-8"


class ReadCancelled(Exception):
    """A listener asks for the work to be given up; nothing was recorded."""


class IntakeResult(StrEnum):
    """What became of a file at intake."""

    QUEUED = "queued"
    KNOWN = "known"
    QUARANTINED = "quarantined"
    UNSETTLED = "unsettled"
    """It changed while it was read: to be waited for again."""
    GONE = "gone"
    """Or out of reach, which the rescan tells."""


@dataclass(frozen=True, slots=True)
class ExaminedFile:
    """A file whose header was looked at, and which is to be read to its end now."""

    seen: NewSighting
    path: Path
    facts: ScanFacts | None
    """None where the header is refused, for the reason of `problem`."""
    problem: Problem | None

    @property
    def small(self) -> bool:
        """Whether it may be read while others wait."""
        return self.seen.size <= MAX_SMALL_BYTES


class SlowRead(Exception):
    """Whoever must not keep others waiting leaves this file to somebody who may."""


@dataclass(frozen=True, slots=True)
class Intake:
    """How files below the folder `root` are taken in: queued by a recipe, within limits."""

    database: Database
    root: Path
    recipe_id: int
    limits: Limits
    hard_links: HardLinks = HardLinks.REFUSE

    def examine(
        self, path: bytes, *, quickly: bool, reader: Reader | None = None
    ) -> IntakeResult | ExaminedFile:
        """Look at the header of the file at `path`; return what is to be read on, or what became of it.

        Raises TakesLong, if it is to go quickly and does not; else as `register_file`.
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
        return self._whatever_happens(
            seen, lambda: self._examine(entry, seen, quickly=quickly, reader=reader)
        )

    def register(
        self, file: ExaminedFile, listener: Callable[[int, int], None] | None = None
    ) -> IntakeResult:
        """Read an examined file to its end and enter it; `listener(done, total)` is called between slices.

        Raises as `register_file`, and whatever the listener raises.
        """
        return self._whatever_happens(file.seen, lambda: self._register(file, listener))

    def _whatever_happens(self, seen: NewSighting, step: Callable[[], T]) -> T | IntakeResult:
        """Do `step`; a failure that is about this file, of whatever kind, ends as its quarantine."""
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
                remedy="stat_entry for this file in the log of the ingester and report what it says there; "
                "after an update: saek retry",
            )
            return _refuse_sighting(self.database, seen, problem)

    def _examine(
        self, entry: Entry, seen: NewSighting, *, quickly: bool, reader: Reader | None
    ) -> IntakeResult | ExaminedFile:
        try:
            full = master_path(self.root, entry.path)
            _require_utf_8(full)
            if entry.regular and entry.names > 1 and self.hard_links is HardLinks.REFUSE:
                raise _hard_link(full, entry.names)
            if not entry.regular:
                FileIdentity.read(full)  # tells what is wrong with it
            facts = _quickly(full, self.limits) if quickly else _identified(full, self.limits, reader)
            _require_sides(facts, full)
            _require_proportion(facts, seen.size, full)
        except (MissingFile, PathEscapes):
            return IntakeResult.GONE
        except (UnsafeFile, UnreadableFile, EmptyFile, NameNotUtf8) as error:
            return _refuse_sighting(self.database, seen, problem_of(error))
        except (MasterError, ReaderFailed) as error:
            problem = problem_of(error, MAX_ATTEMPTS if isinstance(error, ReaderFailed) else 1)
            if seen.size <= MAX_SMALL_BYTES:
                return ExaminedFile(seen, full, None, problem)
            if stat_entry(os.fsencode(self.root), entry.path) != entry:
                return IntakeResult.UNSETTLED
            return _refuse_sighting(self.database, seen, problem)
        return ExaminedFile(seen, full, facts, None)

    def _register(self, file: ExaminedFile, listener: Callable[[int, int], None] | None) -> IntakeResult:
        seen = file.seen
        try:
            witness = FileIdentity.read(file.path, listener)
        except MissingFile:
            return IntakeResult.GONE
        except MasterChanged:
            return IntakeResult.UNSETTLED
        except MasterError as error:
            return _refuse_sighting(self.database, seen, problem_of(error))
        _, inode, size, mtime_ns = witness.location
        if (inode, size, kept_ns(mtime_ns)) != (seen.inode, seen.size, seen.mtime_ns):
            return IntakeResult.UNSETTLED
        if file.facts is None:
            return _refuse_content(self.database, file, witness.sha256)
        return self._queue(seen, _record(witness.sha256, seen.size, file.facts))

    def _queue(self, seen: NewSighting, record: NewScan) -> IntakeResult:
        log = _log.bind(file=seen.display)
        done = self.database.run(lambda s: register(s, seen, record, self.recipe_id))
        if done.new_sighting and is_conflict_copy(seen.path.rpartition(b"/")[2]):
            log.warning(
                "a conflict copy: a sync tool kept it beside another version of the same file",
                remedy="compare the two and remove the one that is not wanted",
            )
        if not done.new_job:
            log.info("known already", scan=done.scan_id, job=done.job_id)
            return IntakeResult.KNOWN
        log.info("queued", scan=done.scan_id, job=done.job_id, sha256=record.sha256[:12])
        return IntakeResult.QUEUED


def known_in_inbox(database: Database) -> Callable[[int], int]:
    """Return a function that tells how many files, up to so many, the record knows to be in the inbox."""

    def known(most: int) -> int:
        with database.read() as s:
            return count_sightings(s, INBOX, most)

    return known


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

    What lies behind a linked folder is passed over: the link itself is what gets quarantined.

    Raises db.errors.DatabaseError, restoration.Transient or MemoryError; nothing is recorded then, and
    the next rescan finds the file again.
    """
    intake = Intake(database, root, recipe_id, limits, hard_links)
    examined = intake.examine(path, quickly=False)
    return intake.register(examined) if isinstance(examined, ExaminedFile) else examined


def problem_of(error: RestorationError, times: int = 1) -> Problem:
    """Return the error, met so many times, as the record keeps it."""
    again = f", {times} times" if times > 1 else ""
    return Problem(code=error.code, reason=error.reason + again, remedy=error.remedy)


def _quickly(path: Path, limits: Limits) -> ScanFacts:
    """Read the header, or raise TakesLong."""
    seconds = min(_QUICK_SECONDS, limits.reader_silent_seconds)
    try:
        return identify(path, replace(limits, reader_silent_seconds=seconds))
    except (ReaderFailed, MasterUnavailable) as error:
        raise SlowRead(error.reason) from error


def _identified(path: Path, limits: Limits, reader: Reader | None) -> ScanFacts:
    """Read the header; a reader that died of it is no proof until it died of it several times."""
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return identify(path, limits, reader)
        except ReaderFailed as error:
            _log.warning("reading failed", file=display_path(os.fsencode(path.name)), reason=error.reason)
    return identify(path, limits, reader)


def _require_sides(facts: ScanFacts, path: Path) -> None:
    if max(facts.width, facts.height) > _LONGEST_SIDE:
        raise ImageTooLarge(
            reason=f"its header claims {facts.width} x {facts.height} pixels; no side may have more than "
            f"{_LONGEST_SIDE:,}",
            remedy="cut it into parts if it really is that large",
            path=path,
        )


def _require_proportion(facts: ScanFacts, size: int, path: Path) -> None:
    """Refuse a file that is nearly all something else than its picture, as a sparse one may be."""
    needed = facts.pixels * facts.bands * (facts.depth // 8)
    if size > _ANY_SIZE and size > _MOST_OVERHEAD * needed:
        raise UnsupportedImage(
            reason=f"it holds {size / 1e9:,.1f} GB, of which its picture of {facts.width} x {facts.height} "
            f"pixels needs no more than {needed / 1e9:,.3f} GB",
            remedy="see whether its copy or download was finished; save it anew",
            path=path,
        )


def _refuse_content(database: Database, file: ExaminedFile, sha256: str) -> IntakeResult:
    """Quarantine a file whose header was refused, by its content: so are the same bytes elsewhere."""
    seen, problem = file.seen, file.problem
    assert problem is not None  # noqa: S101  (there are facts or a problem)
    record = NewScan(sha256=sha256, bytes=seen.size)
    known = database.run(lambda s: register_quarantined(s, seen, record, problem))
    if known.new_sighting:
        _tell_refusal(seen, problem)
    return IntakeResult.QUARANTINED


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


def _require_utf_8(path: Path) -> None:
    name = os.fsencode(path)
    try:
        name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NameNotUtf8(
            reason=f"its name is not valid UTF-8{_cp949_guess(path)}",
            remedy="rename it, for example with: convmv -f cp949 -t utf8 --notest FILE; "
            "it is then taken in by itself",
            path=path,
        ) from error


def _hard_link(path: Path, names: int) -> UnsafeFile:
    return UnsafeFile(
        reason=f"it is a hard link: {names - 1} more names lead to its bytes, and could change them",
        remedy="copy the file itself there, or set SAEK_HARD_LINKS=accept if such links are meant",
        path=path,
    )


def _cp949_guess(path: Path) -> str:
    try:
        return f" (as CP949 it would read '{os.fsencode(path.name).decode('cp949')}')"
    except UnicodeDecodeError:
        return ""


def _refuse_sighting(database: Database, seen: NewSighting, problem: Problem) -> IntakeResult:
    refused = database.run(lambda s: quarantine_sighting(s, seen, problem))
    if refused.new:
        _tell_refusal(seen, problem)
    return IntakeResult.QUARANTINED


def _tell_refusal(seen: NewSighting, problem: Problem) -> None:
    _log.warning(
        "quarantined", file=seen.display, code=problem.code, reason=problem.reason, remedy=problem.remedy
    )


def _record(sha256: str, size: int, facts: ScanFacts) -> NewScan:
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
