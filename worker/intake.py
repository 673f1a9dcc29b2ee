"""How a settled file becomes known: hashed where it lies, identified, recorded; never copied."""

import os
import unicodedata
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

import structlog

from db.engine import Database
from db.intake import count_known, quarantine_sighting, register, register_quarantined
from db.queue import MAX_ATTEMPTS
from db.values import Problem, ScanRecord, Seen
from restoration import (
    Limits,
    MasterChanged,
    MasterError,
    MissingFile,
    ReaderFailed,
    RestorationError,
    ScanFacts,
    UnsafeFile,
    Witness,
    identify,
)
from worker.inbox.walk import Entry, look
from worker.locating import LeadsOut, master_place
from worker.settings import HardLinks

INBOX = "inbox"
"""Name of the root that paths in the record are relative to."""

_log = structlog.get_logger()


class BadName(MasterError):
    """The name is not valid UTF-8: it could be shown to nobody as it is."""

    code = "name-not-utf-8"


class Taken(StrEnum):
    """What became of a file at intake."""

    QUEUED = "queued"
    KNOWN = "known"
    QUARANTINED = "quarantined"
    UNSETTLED = "unsettled"
    """It changed while it was read: to be waited for again."""
    GONE = "gone"


def known_in_inbox(database: Database) -> Callable[[int], int]:
    """Return a function that tells how many files, up to so many, the record knows to be in the inbox."""

    def known(most: int) -> int:
        with database.read() as s:
            return count_known(s, INBOX, most)

    return known


def take_in(
    database: Database,
    root: Path,
    path: bytes,
    recipe_id: int,
    limits: Limits,
    *,
    hard_links: HardLinks = HardLinks.REFUSE,
) -> Taken:
    """Register the file at `path` (relative to the folder `root`) and queue its job in the interactive lane.

    What lies behind a linked folder is passed over: the link itself is what gets quarantined.

    Raises db.errors.DatabaseUnavailable or restoration.Transient; nothing is recorded then, and the next
    rescan finds the file again.
    """
    entry = look(os.fsencode(root), path)
    if entry is None:
        return Taken.GONE
    seen = _seen(entry)
    try:
        full = master_place(root, path)
        _require_utf_8(full)
        if entry.regular and entry.names > 1 and hard_links is HardLinks.REFUSE:
            raise _hard_link(full, entry.names)
        witness = Witness.of(full)
    except (MissingFile, LeadsOut):
        return Taken.GONE
    except MasterChanged:
        return Taken.UNSETTLED
    except MasterError as error:
        return _refuse_sighting(database, seen, problem_of(error))
    _, *place = witness.place
    if place != [entry.inode, entry.size, entry.mtime_ns]:
        return Taken.UNSETTLED
    return _register(database, seen, full, witness.sha256, recipe_id=recipe_id, limits=limits)


def problem_of(error: RestorationError, times: int = 1) -> Problem:
    """Return the error, met so many times, as the record keeps it."""
    again = f", {times} times" if times > 1 else ""
    return Problem(code=error.code, reason=error.reason + again, remedy=error.remedy)


def display_name(path: bytes) -> str:
    """Return a path for people: NFC text, undecodable bytes shown as escapes."""
    return unicodedata.normalize("NFC", path.decode("utf-8", "backslashreplace"))


def _register(
    database: Database, seen: Seen, path: Path, sha256: str, *, recipe_id: int, limits: Limits
) -> Taken:
    log = _log.bind(file=seen.display)
    try:
        facts = _identified(path, limits)
    except (MasterError, ReaderFailed) as error:
        times = MAX_ATTEMPTS if isinstance(error, ReaderFailed) else 1
        record, problem = ScanRecord(sha256=sha256, bytes=seen.size), problem_of(error, times)
        known = database.run(lambda s: register_quarantined(s, seen, record, problem))
        if known.new_sighting:
            log.warning("quarantined", code=error.code, reason=error.reason, remedy=error.remedy)
        return Taken.QUARANTINED
    record = _record(sha256, seen.size, facts)
    done = database.run(lambda s: register(s, seen, record, recipe_id))
    if not done.new_job:
        log.info("known already", scan=done.scan_id, job=done.job_id)
        return Taken.KNOWN
    log.info("queued", scan=done.scan_id, job=done.job_id, sha256=sha256[:12])
    return Taken.QUEUED


def _identified(path: Path, limits: Limits) -> ScanFacts:
    """Read the header; a reader that died of it is no proof until it died of it several times."""
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return identify(path, limits)
        except ReaderFailed as error:
            _log.warning("reading failed", file=display_name(os.fsencode(path.name)), reason=error.reason)
    return identify(path, limits)


def _seen(entry: Entry) -> Seen:
    display = display_name(entry.path)
    folder, _, _ = display.rpartition("/")
    return Seen(
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
        raise BadName(
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


def _refuse_sighting(database: Database, seen: Seen, problem: Problem) -> Taken:
    refused = database.run(lambda s: quarantine_sighting(s, seen, problem))
    if refused.new:
        _log.warning(
            "quarantined", file=seen.display, code=problem.code, reason=problem.reason, remedy=problem.remedy
        )
    return Taken.QUARANTINED


def _record(sha256: str, size: int, facts: ScanFacts) -> ScanRecord:
    return ScanRecord(
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
