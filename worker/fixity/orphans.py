"""Orphans: files in the outbox that the record does not account for."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from db.audit import is_running, is_unfinished, known_derivatives
from db.core import Database
from worker.outbox.paths import OUTBOX
from worker.storage.ignored_names import ignored_file, ignored_folder

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_PAGE: Final = 500
_MAX_LISTED: Final = 1000
_DRAFT: Final = re.compile(rb"^\.+saek-job(\d{1,18})-\d+\b")
_DERIVATIVE: Final = re.compile(rb"\.([0-9a-f]{8,64})-([0-9a-f]{8,64})\.[A-Za-z0-9]+$")
_SIDECAR: Final = b".json"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A file of no derivative on record, or a draft that a job left behind."""

    path: bytes
    """Relative to the outbox."""
    bytes: int
    reason: str


@dataclass(slots=True)
class Orphans:
    """The first thousand orphans, and the number of all; `complete` if the whole outbox was searched."""

    found: list[Orphan] = field(default_factory=list)
    count: int = 0
    looked_at: int = 0
    complete: bool = True
    unreadable: list[bytes] = field(default_factory=list)
    """Folders that could not be read, relative to the outbox."""


def find_orphans(database: Database, outbox: Path, go_on: Callable[[int], bool] | None = None) -> Orphans:
    """Search the outbox until `go_on(files)`, called with the number of files so far, is False; only reads.

    Not orphans are: derivatives under all of their names, their sidecars (the same name and `.json`), files
    of an unfinished job, and system and transfer files that are ignored in the inbox too.
    """
    result = Orphans()
    files = _walk(os.fsencode(outbox), result)
    while page := list(islice(files, _PAGE)):
        if go_on is not None and not go_on(result.looked_at):
            result.complete = False
            return result
        result.looked_at += len(page)
        with database.read() as s:  # begun after the files were found, so that their jobs are in it
            for orphan in _orphans_among(s, page):
                result.count += 1
                if len(result.found) < _MAX_LISTED:
                    result.found.append(orphan)
    return result


def _orphans_among(s: "Session", page: list[tuple[bytes, int]]) -> Iterator[Orphan]:
    stems = {path: path.removesuffix(_SIDECAR) for path, _ in page}
    known = known_derivatives(s, OUTBOX, {*stems, *stems.values()})
    for path, size in page:
        name = path.rpartition(b"/")[2]
        if draft := _DRAFT.match(name):
            job = int(draft[1])
            if not is_running(s, job):
                yield Orphan(path, size, f"a draft that job:{job} left behind")
        elif ignored_file(name) or path in known or stems[path] in known:
            continue
        elif not _may_be_unfinished(s, stems[path]):
            yield Orphan(path, size, "no derivative on record was written there")


def _may_be_unfinished(s: "Session", path: bytes) -> bool:
    """Return whether a job may be giving a file this name, which comes before the record of it."""
    match = _DERIVATIVE.search(path)
    return match is not None and is_unfinished(s, match[1].decode(), match[2].decode())


def _walk(root: bytes, result: Orphans) -> Iterator[tuple[bytes, int]]:
    """Yield each file below `root` with its size; folders that cannot be read are noted in `result`."""
    pending = [b""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118  (bytes)
                for item in entries:
                    path = folder + b"/" + item.name if folder else item.name
                    if item.is_dir(follow_symlinks=False):
                        if not ignored_folder(item.name):
                            pending.append(path)
                    else:
                        yield path, _size(item)
        except OSError:
            result.unreadable.append(folder)


def _size(item: "os.DirEntry[bytes]") -> int:
    try:
        return item.stat(follow_symlinks=False).st_size
    except OSError:
        return 0  # removed meanwhile
