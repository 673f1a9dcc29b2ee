"""Additional names for files of the outbox: hard links, or copies where the file system has none."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from restoration import draft, publish, sync_folder, writing_to

DRAFT: Final = ".saek-link-"
"""Prefix of the names of unfinished copies."""

_CHUNK: Final = 1 << 20
_ABANDONED_SECONDS: Final = 3600.0
"""Age in seconds of an unfinished copy that a dead process left behind."""

_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
)
"""Errors of file systems without hard links, or with too many; missing rights have other errors."""

_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NameTaken(Exception):
    """Another file has the name."""


class ChecksumMismatch(Exception):
    """The source does not hold the recorded bytes."""


def has_size(path: Path, size: int) -> bool:
    """Return whether a regular file of this size exists; no link is followed."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == size


def has_bytes(path: Path, size: int, sha256: str) -> bool:
    """Return whether a regular file with these bytes exists; reads it to its end."""
    if not has_size(path, size):
        return False
    try:
        with os.fdopen(os.open(path, _FILE), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def link_or_copy(
    source: Path, target: Path, *, size: int, sha256: str, require_space: Callable[[int], None]
) -> bool:
    """Give the file at `source` the name `target` too; return whether it had to be copied.

    It is fine if this file or these bytes have the name already. `require_space(bytes)` is called before a
    copy, and raises if there is no space. The folder of `target` is not synced: see `sync_folders`.

    Raises:
        NameTaken, ChecksumMismatch
        NoSpace, OutputUnavailable: it cannot be written now, or what `require_space` raises.
    """
    with writing_to(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target, follow_symlinks=False)
        except FileExistsError:
            return _already_named(source, target, size, sha256)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            return False
    require_space(size)
    with writing_to(target.parent):
        return _copy(source, target, size, sha256)


def same_entry(one: Path, other: Path) -> bool:
    """Return whether two names of one file are one folder entry, as where case or Unicode form is ignored.

    Removing one would remove the other.
    """
    try:
        if not one.parent.samefile(other.parent):
            return False
        names = set(os.listdir(os.fsencode(one.parent)))  # noqa: PTH208  (bytes)
    except OSError:
        return True
    return not {os.fsencode(one.name), os.fsencode(other.name)} <= names


def remove_name(path: Path, outbox: Path) -> None:
    """Remove a name, and the folders below the outbox that become empty. Raises as `writing_to`."""
    with writing_to(path.parent):
        path.unlink(missing_ok=True)
    for folder in path.parents:
        if folder == outbox or not folder.is_relative_to(outbox):
            return
        try:
            folder.rmdir()
        except OSError:
            return  # it is not empty, or already removed


def sync_folders(folders: Iterable[Path], outbox: Path) -> None:
    """Sync folders, and those above them, to the disk. Raises as `writing_to`."""
    whole = {
        above for folder in folders for above in (folder, *folder.parents) if above.is_relative_to(outbox)
    }
    for folder in sorted(whole):
        with writing_to(folder), contextlib.suppress(FileNotFoundError):  # empty and removed meanwhile
            sync_folder(folder)


def _already_named(source: Path, target: Path, size: int, sha256: str) -> bool:
    with contextlib.suppress(OSError):
        if not target.is_symlink() and target.samefile(source):
            return False
    if has_bytes(target, size, sha256):
        return True
    raise NameTaken


def _copy(source: Path, target: Path, size: int, sha256: str) -> bool:
    _remove_abandoned_drafts(target.parent)
    found, copied = hashlib.sha256(), 0
    with draft(target, f"{DRAFT}{secrets.token_hex(8)}") as unfinished:
        with os.fdopen(os.open(source, _FILE), "rb") as file, unfinished.open("xb") as out:
            while chunk := file.read(_CHUNK):
                found.update(chunk)
                copied += len(chunk)
                out.write(chunk)
        if (copied, found.hexdigest()) != (size, sha256):
            raise ChecksumMismatch
        if os.path.lexists(target):
            return _already_named(source, target, size, sha256)
        publish(unfinished, target)
    return True


def _remove_abandoned_drafts(folder: Path) -> None:
    for copy in folder.glob(f"{DRAFT}*"):
        with contextlib.suppress(FileNotFoundError):
            if copy.lstat().st_mtime < time.time() - _ABANDONED_SECONDS:
                copy.unlink()
