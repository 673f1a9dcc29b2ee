"""Reading of files for fixity checks: without following links, rate-limited, and from the disk."""

import errno
import hashlib
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from db.values import kept_ns

_CHUNK: Final = 1 << 20
_DROP_EVERY: Final = 16 * _CHUNK
_BURST_SECONDS: Final = 0.5

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class FileMissing(Exception):
    """There is no file."""


class NotRegularFile(Exception):
    """There is something other than a regular file."""


class FileUnreadable(Exception):
    """It could not be read, or changed meanwhile; it may be intact."""


@dataclass(frozen=True, slots=True)
class FileDigest:
    """Checksum, size and modification time of a file that was read."""

    sha256: str
    size: int
    mtime_ns: int
    """Rounded as in the record."""


class RateLimit:
    """Limits reading to a number of bytes per second; None is no limit."""

    def __init__(self, bytes_per_second: float | None) -> None:
        self._rate = bytes_per_second
        self._free_at = time.monotonic()

    def spend(self, count: int) -> None:
        """Wait until `count` more bytes are allowed; an unused allowance lasts half a second."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now - _BURST_SECONDS) + count / self._rate
        if self._free_at > now:
            time.sleep(self._free_at - now)


def hash_file(root: Path, path: bytes, pace: RateLimit) -> FileDigest:
    """Read a whole file below `root` and return its checksum; no link is followed on the way.

    The page cache of the file is dropped before and after: the disk is read, and other files stay cached.

    Raises:
        NotThere, NoFile, NotRead
    """
    descriptor = _open(root, path)
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise NotRegularFile(f"a {_kind(before.st_mode)} is there")
        digest = _digest(descriptor, pace)
        after = os.fstat(descriptor)
    except OSError as error:
        raise FileUnreadable(f"it cannot be read to its end ({error.strerror})") from error
    finally:
        os.close(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise FileUnreadable("it was written to while it was read")
    return FileDigest(digest, after.st_size, kept_ns(after.st_mtime_ns))


def _digest(descriptor: int, pace: RateLimit) -> str:
    found, buffer = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    done = dropped = 0
    _drop_cache(descriptor, 0, 0)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    while count := os.readv(descriptor, [buffer]):
        found.update(buffer[:count])
        done += count
        if done - dropped >= _DROP_EVERY:
            _drop_cache(descriptor, dropped, done - dropped)
            dropped = done
        pace.spend(count)
    _drop_cache(descriptor, dropped, 0)
    return found.hexdigest()


def _drop_cache(descriptor: int, offset: int, length: int) -> None:
    os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_DONTNEED)


def _open(root: Path, path: bytes) -> int:
    """Open a file below `root` folder by folder, so that neither a link nor `..` leads out of it."""
    *folders, name = path.split(b"/")
    if any(part in {b"", b".", b".."} for part in (*folders, name)):
        raise FileUnreadable("its path on record is not one that Saek writes")
    try:
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise FileUnreadable(f"{root} cannot be opened ({error.strerror})") from error
    try:
        for folder in folders:
            below = _open_below(folder, _FOLDER, here)
            os.close(here)
            here = below
        return _open_below(name, _FILE, here)
    finally:
        os.close(here)


def _open_below(name: bytes, how: int, folder: int) -> int:
    try:
        return os.open(name, how, dir_fd=folder)
    except FileNotFoundError as error:
        raise FileMissing from error
    except OSError as error:
        is_folder = bool(how & os.O_DIRECTORY)
        if error.errno in {errno.ELOOP, errno.ENOTDIR} and _is_link(name, folder):
            if is_folder:
                raise FileUnreadable("a folder on the way to it is a symbolic link") from error
            raise NotRegularFile("a symbolic link is there") from error
        if error.errno == errno.ENOTDIR:
            raise FileMissing from error
        if error.errno == errno.ENXIO:
            raise NotRegularFile("a socket or device is there") from error
        raise FileUnreadable(f"it cannot be opened ({error.strerror})") from error


def _is_link(name: bytes, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "folder",
        stat.S_IFIFO: "pipe",
        stat.S_IFSOCK: "socket",
        stat.S_IFCHR: "device",
        stat.S_IFBLK: "device",
    }
    return kinds.get(stat.S_IFMT(mode), "special file")
