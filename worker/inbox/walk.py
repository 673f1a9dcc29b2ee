"""What lies in the inbox now: every entry that could be a scan, by its raw bytes."""

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
    """One file (or something that pretends to be one) below the inbox."""

    path: bytes
    """Relative to the inbox, `/` between the parts."""
    size: int
    mtime_ns: int
    """As the record would keep it."""
    inode: int
    regular: bool
    names: int = 1
    """How many names lead to the bytes: more than 1 for a hard link."""


@dataclass(slots=True)
class WalkSummary:
    """What a walk met besides the entries that it yields."""

    refused: dict[bytes, OSError] = field(default_factory=dict)
    """Folders, and files by paths too long to be used, that could not be looked at, and why."""
    sidecars: int = 0
    """Files beside scans that are passed over."""
    conflicts: list[bytes] = field(default_factory=list)
    """Those of the entries that a sync tool kept beside another version."""

    def counts_as_scan(self, entry: Entry) -> bool:
        """Note what kind of file it is by its name; return whether it could be a scan."""
        name = entry.path.rpartition(b"/")[2]
        if is_companion_file(name):
            self.sidecars += 1
            return False
        if is_conflict_copy(name):
            self.conflicts.append(entry.path)
        return True

    def hides(self, path: bytes) -> bool:
        """Whether the path lies where the walk could not look."""
        parts = path.split(b"/")
        return any(b"/".join(parts[:depth]) in self.refused for depth in range(1, len(parts) + 1))


def walk(root: bytes, below: bytes = b"", survey: WalkSummary | None = None) -> Iterator[Entry]:
    """Yield all entries under `root/below` that are not ignored; links are reported, never followed.

    A folder that was moved away during the walk is passed over. One that cannot be read, or whose path is too
    long to be used, is noted in the survey, and sidecars are counted there instead of yielded.

    Raises OSError, since an incomplete walk must not be taken for an empty folder: at once when `below`
    itself cannot be read; without a survey, after all else, when another folder cannot be.
    """
    noted = WalkSummary() if survey is None else survey
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
                if entry is not None and (survey is None or survey.counts_as_scan(entry)):
                    yield entry
        except OSError as error:
            if folder == below:
                raise
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                noted.refused[folder] = error
    if survey is None and noted.refused:
        raise next(iter(noted.refused.values()))


def _listed(root: bytes, folder: bytes) -> Iterator[os.DirEntry[bytes]]:
    with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118  (bytes)
        yield from entries


def stat_entry(root: bytes, path: bytes) -> Entry | None:
    """Return the entry at `path` (relative to `root`) as it is now, None if there is no such file."""
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
