"""How a settled file becomes known: hashed where it lies, identified, recorded; never copied."""

import hashlib
import os
import unicodedata
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

import structlog

from db.engine import Database
from db.intake import quarantine_sighting, register, register_quarantined
from db.values import Problem, ScanRecord, Seen
from restoration import EmptyFile, Limits, MasterError, ScanFacts, UnreadableFile, UnsafeFile, identify
from worker.inbox.walk import Entry, look

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


def take_in(database: Database, root: Path, path: bytes, recipe_id: int, limits: Limits) -> Taken:
    """Register the file at `path` (relative to the folder `root`) and queue its job in the interactive lane.

    Raises db.errors.DatabaseUnavailable; nothing is recorded then, and the next rescan finds the file again.
    """
    entry = look(os.fsencode(root), path)
    if entry is None:
        return Taken.GONE
    seen = _seen(entry)
    log = _log.bind(file=seen.display)
    full = root / os.fsdecode(path)
    try:
        _require_utf_8(full)
        sha256 = _digest(full, entry)
    except MasterError as error:
        return _refuse_sighting(database, seen, problem_of(error))
    if sha256 is None:
        return Taken.UNSETTLED
    try:
        facts = identify(full, limits)
    except MasterError as error:
        record = ScanRecord(sha256=sha256, bytes=entry.size)
        with database.begin() as s:
            known = register_quarantined(s, seen, record, problem_of(error))
        if known.new_sighting:
            log.warning("quarantined", code=error.code, reason=error.reason, remedy=error.remedy)
        return Taken.QUARANTINED
    with database.begin() as s:
        done = register(s, seen, _record(sha256, entry.size, facts), recipe_id)
    if not done.new_job:
        log.info("known already", scan=done.scan_id, job=done.job_id)
        return Taken.KNOWN
    log.info("queued", scan=done.scan_id, job=done.job_id, sha256=sha256[:12])
    return Taken.QUEUED


def problem_of(error: MasterError) -> Problem:
    """Return the error as the record keeps it."""
    return Problem(code=error.code, reason=error.reason, remedy=error.remedy)


def display_name(path: bytes) -> str:
    """Return a path for people: NFC text, undecodable bytes shown as escapes."""
    return unicodedata.normalize("NFC", path.decode("utf-8", "backslashreplace"))


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


def _cp949_guess(path: Path) -> str:
    try:
        return f" (as CP949 it would read '{os.fsencode(path.name).decode('cp949')}')"
    except UnicodeDecodeError:
        return ""


def _digest(path: Path, entry: Entry) -> str | None:
    """Return the sha256 of the file, None if it is not the one that settled or changed while it was read."""
    if not entry.regular:
        raise UnsafeFile(
            reason="it is a link, pipe, socket or device, not a regular file",
            remedy="put the file itself into the inbox",
            path=path,
        )
    if entry.size == 0:
        raise EmptyFile(reason="it holds no bytes", remedy="copy it again from its source", path=path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableFile(
            reason=f"it cannot be opened ({error.strerror})",
            remedy="give Saek's user the right to read it, or copy it again",
            path=path,
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        try:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UnreadableFile(
                reason=f"it cannot be read to its end ({error.strerror})",
                remedy="check the disk it lies on, or copy it again",
                path=path,
            ) from error
        after = os.fstat(file.fileno())
    unchanged = (after.st_size, after.st_mtime_ns, after.st_ino) == (entry.size, entry.mtime_ns, entry.inode)
    return digest if unchanged else None


def _refuse_sighting(database: Database, seen: Seen, problem: Problem) -> Taken:
    with database.begin() as s:
        refused = quarantine_sighting(s, seen, problem)
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
