"""Safe opening of masters, and detection of changes to them.

The name of a master may lead to a link, an endless pipe or a device, and its bytes may be exchanged between
two readings. `open_master` follows no link in the last path component and accepts only a regular file.
`FileIdentity` remembers which bytes were read. Two risks are accepted: a writer that changes bytes in place
and restores size and modification time is not noticed, so the digest taken before the work may belong to
other bytes than the pixels; and the folders above the file are trusted.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

import pyvips

from restoration.errors import (
    EmptyFile,
    MasterChanged,
    MasterUnavailable,
    MissingFile,
    UnreadableFile,
    UnsafeFile,
)

_SLICE: Final = 4 << 20
"""Bytes read between two calls of a listener."""

_STORAGE_ERRORS: Final = frozenset(
    {errno.EIO, errno.EREMOTEIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.ECONNRESET}
    | {errno.ECONNABORTED, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH}
    | {errno.ENFILE, errno.EMFILE, errno.ENOMEM}
)


def open_master(path: Path) -> BufferedReader:
    """Open the regular file at `path` for reading.

    Raises MissingFile, UnsafeFile, UnreadableFile, EmptyFile or MasterUnavailable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFile(
            reason="there is no such file", remedy="put it back or correct the name", path=path
        ) from error
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENXIO, errno.ENODEV}:
            raise _unsafe(path) from error
        require_storage(error, path)
        raise UnreadableFile(
            reason=f"it cannot be opened ({error.strerror})", remedy="grant permission to read it", path=path
        ) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _unsafe(path)
    if status.st_size == 0:
        os.close(descriptor)
        raise EmptyFile(reason="it is empty", remedy="copy it again from its source", path=path)
    return os.fdopen(descriptor, "rb")


def open_source(path: Path) -> pyvips.Source:
    """Open the regular file at `path` as a libvips source; raises as `open_master`."""
    with open_master(path) as file:
        return pyvips.Source.new_from_descriptor(file.fileno())  # libvips duplicates the descriptor


def require_storage(error: OSError, path: Path) -> None:
    """Raise MasterUnavailable if the error is of a failing disk, share or system, not of one file."""
    if error.errno in _STORAGE_ERRORS:
        raise MasterUnavailable(
            reason=f"the storage that holds it is failing ({error.strerror})",
            remedy="check the disk or the share; work continues automatically",
            path=path,
        ) from error


def reports_storage_failure(message: str) -> bool:
    """Return whether a library's message contains a system error of a failing disk or share."""
    return any(os.strerror(code).lower() in message.lower() for code in _STORAGE_ERRORS)


def _unsafe(path: Path) -> UnsafeFile:
    return UnsafeFile(
        reason="it is a link, pipe, socket, device or folder, not a regular file",
        remedy="replace it with the file itself",
        path=path,
    )


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Identity of the bytes of a master: their digest, and their file system location."""

    path: Path
    sha256: str
    location: tuple[int, int, int, int]
    """Device, inode, size, modification time in ns."""

    @classmethod
    def read(cls, path: Path, listener: Callable[[int, int], None] | None = None) -> "FileIdentity":
        """Read the whole file once; raises as `open_master`, or MasterChanged if it changes meanwhile.

        `listener(done, total)` is called with bytes after each slice; what it raises stops the reading.
        """
        with open_master(path) as file:
            location = _location(file)
            try:
                digest = _digest(file, location[2], listener)
            except OSError as error:
                require_storage(error, path)
                raise UnreadableFile(
                    reason=f"it cannot be read to its end ({error.strerror})",
                    remedy="check the disk that holds it, or copy it again",
                    path=path,
                ) from error
            identity = cls(path, digest, location)
            if _location(file) != location:
                raise identity.change_error("it changed while it was read")
        return identity

    def require_sha256(self, sha256: str | None) -> None:
        """Raise MasterChanged unless the bytes have the registered digest."""
        if sha256 is not None and sha256 != self.sha256:
            raise self.change_error(f"its sha256 is {self.sha256[:12]}…, {sha256[:12]}… was registered")

    def require_unchanged(self) -> None:
        """Raise MasterChanged if the file was replaced or written to."""
        with open_master(self.path) as file:
            if _location(file) != self.location:
                raise self.change_error("it changed during the work")

    def change_error(self, reason: str) -> MasterChanged:
        """Return MasterChanged with a reason."""
        return MasterChanged(
            reason=reason, remedy="wait until it is complete, then register it again", path=self.path
        )


def _digest(file: BufferedReader, size: int, listener: Callable[[int, int], None] | None) -> str:
    """Return the sha256 of the file; at most its `size` and one slice are read."""
    found, buffer, done = hashlib.sha256(), memoryview(bytearray(min(_SLICE, size + 1))), 0
    while done <= size and (count := file.readinto(buffer)):
        found.update(buffer[:count])
        done += count
        if listener is not None:
            listener(done, size)
    return found.hexdigest()


def _location(file: BufferedReader) -> tuple[int, int, int, int]:
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
