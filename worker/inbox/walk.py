"""What lies in the inbox now: every entry that could be a scan, by its raw bytes."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from worker.inbox.ignore import ignored_file, ignored_folder

_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.ENAMETOOLONG})


@dataclass(frozen=True, slots=True)
class Entry:
    """One file (or something that pretends to be one) below the inbox."""

    path: bytes
    """Relative to the inbox, `/` between the parts."""
    size: int
    mtime_ns: int
    inode: int
    regular: bool
    names: int = 1
    """How many names lead to the bytes: more than 1 for a hard link."""


def walk(root: bytes, below: bytes = b"") -> Iterator[Entry]:
    """Yield all entries under `root/below` that are not ignored; links are reported, never followed.

    A folder that was moved away during the walk is passed over.

    Raises OSError, since an incomplete walk must not be taken for an empty inbox: at once when `below` is not
    there or storage fails; after all else, when a folder may not be read or a path is too long to be used.
    """
    pending, refused = [below], None
    while pending:
        folder = pending.pop()
        try:
            for item in _listed(root, folder):
                path = folder + b"/" + item.name if folder else item.name
                if item.is_dir(follow_symlinks=False):
                    if not ignored_folder(item.name):
                        pending.append(path)
                elif not ignored_file(item.name):
                    entry = look(root, path)
                    if entry is not None:
                        yield entry
        except (FileNotFoundError, NotADirectoryError):
            if folder == below:
                raise
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            refused = refused or error
    if refused is not None:
        raise refused


def _listed(root: bytes, folder: bytes) -> Iterator[os.DirEntry[bytes]]:
    with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118  (bytes)
        yield from entries


def look(root: bytes, path: bytes) -> Entry | None:
    """Return the entry at `path` (relative to `root`) as it is now, None if there is no such file."""
    try:
        found = os.lstat(os.path.join(root, path))  # noqa: PTH118  (bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(found.st_mode):
        return None
    return Entry(
        path, found.st_size, found.st_mtime_ns, found.st_ino, stat.S_ISREG(found.st_mode), found.st_nlink
    )
