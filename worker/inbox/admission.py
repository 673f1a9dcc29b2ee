"""Admission: checks of a file's name, kind and header before it is read to its end."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from db.queue import MAX_ATTEMPTS
from restoration import (
    FileIdentity,
    ImageTooLarge,
    Limits,
    MasterError,
    MasterUnavailable,
    Reader,
    ReaderFailed,
    ScanFacts,
    UnsafeFile,
    UnsupportedImage,
    identify,
)
from worker.inbox.walk import Entry
from worker.printable import display_path
from worker.settings import HardLinks

_QUICK_SECONDS: Final = 3
"""Maximum seconds that reading one header may hold up other files."""

_ANY_SIZE: Final = 1 << 30
_MAX_OVERHEAD: Final = 64
"""Maximum size of a file larger than `_ANY_SIZE` bytes, as a multiple of its decoded pixels."""

_MAX_SIDE: Final = 2**31 - 1
"""Pixels; neither PNG nor the record holds more."""

_log = structlog.get_logger()


class NameNotUtf8(MasterError):
    """The name is not valid UTF-8 and cannot be displayed as it is."""

    code = "name-not-utf-8"


class SlowRead(Exception):
    """Reading the file takes too long for a caller that must not hold up other files."""


def check_header(
    path: Path,
    entry: Entry,
    limits: Limits,
    hard_links: HardLinks,
    *,
    quickly: bool,
    reader: Reader | None = None,
) -> ScanFacts:
    """Check a file and return the facts of its header.

    Raises MasterError, ReaderFailed, Transient; SlowRead if it is to be quick and is not.
    """
    _require_utf_8(path)
    if entry.regular and entry.names > 1 and hard_links is HardLinks.REFUSE:
        raise UnsafeFile(
            reason=f"it is a hard link: {entry.names - 1} more names lead to its bytes and could change them",
            remedy="copy the file itself there, or set SAEK_HARD_LINKS=accept if such links are intended",
            path=path,
        )
    if not entry.regular:
        FileIdentity.read(path)  # raises the reason
    facts = _identify_quickly(path, limits) if quickly else _identify(path, limits, reader)
    _require_sides(facts, path)
    _require_proportion(facts, entry.size, path)
    return facts


def _require_utf_8(path: Path) -> None:
    try:
        os.fsencode(path).decode("utf-8")
    except UnicodeDecodeError as error:
        try:
            guess = f" (as CP949 it would read '{os.fsencode(path.name).decode('cp949')}')"
        except UnicodeDecodeError:
            guess = ""
        raise NameNotUtf8(
            reason=f"its name is not valid UTF-8{guess}",
            remedy="rename it, for example with: convmv -f cp949 -t utf8 --notest FILE; "
            "it is then registered automatically",
            path=path,
        ) from error


def _identify_quickly(path: Path, limits: Limits) -> ScanFacts:
    seconds = min(_QUICK_SECONDS, limits.reader_silent_seconds)
    try:
        return identify(path, replace(limits, reader_silent_seconds=seconds))
    except (ReaderFailed, MasterUnavailable) as error:
        raise SlowRead(error.reason) from error


def _identify(path: Path, limits: Limits, reader: Reader | None) -> ScanFacts:
    """Read the header; a reader process must die several times before the file is refused."""
    for _ in range(MAX_ATTEMPTS - 1):
        try:
            return identify(path, limits, reader)
        except ReaderFailed as error:
            _log.warning("reading failed", file=display_path(os.fsencode(path.name)), reason=error.reason)
    return identify(path, limits, reader)


def _require_sides(facts: ScanFacts, path: Path) -> None:
    if max(facts.width, facts.height) > _MAX_SIDE:
        raise ImageTooLarge(
            reason=f"its header claims {facts.width} x {facts.height} pixels; the maximum for a side is "
            f"{_MAX_SIDE:,}",
            remedy="cut it into parts if it really is that large",
            path=path,
        )


def _require_proportion(facts: ScanFacts, size: int, path: Path) -> None:
    """Refuse a file that holds almost nothing of its picture, as a sparse file may."""
    needed = facts.pixels * facts.bands * (facts.depth // 8)
    if size > _ANY_SIZE and size > _MAX_OVERHEAD * needed:
        raise UnsupportedImage(
            reason=f"it holds {size / 1e9:,.1f} GB, but its picture of {facts.width} x {facts.height} pixels "
            f"needs at most {needed / 1e9:,.3f} GB",
            remedy="check whether its copy or download was complete; save it again",
            path=path,
        )
