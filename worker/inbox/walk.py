"""The walk through the inbox: every file that could be a scan, by the raw bytes of its path."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from db.values import kept_ns
from worker.inbox.companions import is_companion_file
from worker.inbox.conflicts import is_conflict_copy
from worker.storage.ignored_names import ignored_file, ignored_folder


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or another entry that is not a folder, below the inbox."""

    path: bytes
    """Relative to the inbox, `/` between the parts."""
    size: int
    mtime_ns: int
    """Rounded as in the record."""
    inode: int
    regular: bool
    names: int = 1
    """Number of hard links to the bytes."""


@dataclass(slots=True)
class WalkSummary:
    """Names that a walk skipped or noticed, apart from the entries that it yields."""

    refused: dict[bytes, OSError] = field(default_factory=dict)
    """Folders that could not be read, files with paths that are too long, and the errors."""
    sidecars: int = 0
    """Number of companion files that were skipped."""
    conflicts: list[bytes] = field(default_factory=list)
    """Paths of conflict copies among the entries."""

    def counts_as_scan(self, entry: Entry) -> bool:
        """Note the kind of a file by its name; return whether it could be a scan."""
        name = entry.path.rpartition(b"/")[2]
        if is_companion_file(name):
            self.sidecars += 1
            return False
        if is_conflict_copy(name):
            self.conflicts.append(entry.path)
        return True

    def hides(self, path: bytes) -> bool:
        """Return whether the path is in a folder that could not be read."""
        parts = path.split(b"/")
        return any(b"/".join(parts[:depth]) in self.refused for depth in range(1, len(parts) + 1))


def walk(root: bytes, below: bytes = b"", summary: WalkSummary | None = None) -> Iterator[Entry]:
    """Yield all entries under `root/below` that are not ignored; links are yielded, never followed.

    A folder that was moved away during the walk is skipped. With a summary, folders that cannot be read and
    paths that are too long are noted there, and companion files are counted there instead of yielded.

    Raises OSError, since an incomplete walk must not be taken for an empty folder: at once if `below` itself
    cannot be read; without a summary, after all other folders, if another one cannot be read.
    """
    noted = WalkSummary() if summary is None else summary
    pending = [below]
    while pending:
        folder = pending.pop()
        try:
            for item in _listed(root, folder):
                path = folder + b"/" + item.name if folder else item.name
                try:
                    if item.is_dir(follow_symlinks=False):
                        if not ignored_folder(item.name):
                            pending.append(path)
                        continue
                    entry = None if ignored_file(item.name) else stat_entry(root, path)
                except OSError as error:
                    noted.refused[path] = error
                    continue
                if entry is not None and (summary is None or summary.counts_as_scan(entry)):
                    yield entry
        except OSError as error:
            if folder == below:
                raise
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                noted.refused[folder] = error
    if summary is None and noted.refused:
        raise next(iter(noted.refused.values()))


def _listed(root: bytes, folder: bytes) -> Iterator[os.DirEntry[bytes]]:
    with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118  (bytes)
        yield from entries


def stat_entry(root: bytes, path: bytes) -> Entry | None:
    """Return the entry at `path` (relative to `root`) as it is now; None if there is no such file."""
    try:
        found = os.lstat(os.path.join(root, path))  # noqa: PTH118  (bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(found.st_mode):
        return None
    return Entry(
        path,
        found.st_size,
        kept_ns(found.st_mtime_ns),
        found.st_ino,
        stat.S_ISREG(found.st_mode),
        found.st_nlink,
    )
