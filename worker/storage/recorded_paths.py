"""Paths on record, resolved to files that are always below the folder they belong to.

A row of the record that was tampered with may hold `../../etc/passwd`, and a folder in the inbox may be a
link. So each path from the record is checked here before it is used: first its text, then folder by folder
without following a link. The residual risk: a user who may write to the folders can replace one by a link
between this check and the opening. A wrong master is then detected by its checksum; a derivative could be
written where the link leads.
"""

import os
from pathlib import Path
from typing import Final

from restoration import MasterError, OutputUnavailable

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class PathEscapes(MasterError):
    """A path on record leads out of the folder it belongs to."""

    code = "leads-out"


class PathTooLong(MasterError):
    """A path in the outbox is longer than file systems allow."""

    code = "path-too-long"


LONGEST_PATH: Final = 4095
"""Maximum bytes of a whole path (PATH_MAX without its NUL)."""

LONGEST_NAME: Final = 255
"""Maximum bytes of each part of a path."""

_RESERVE: Final = 40  # sidecars and drafts have longer names than derivatives


def master_path(inbox: Path, path: bytes) -> Path:
    """Return the path of a master. Raises PathEscapes."""
    parts = _parts(path)
    if (link := linked_folder(inbox, parts)) is not None:
        raise PathEscapes(
            reason=f"its folder {os.fsdecode(link)!r} is a link, which could lead anywhere",
            remedy="put the folder itself into the inbox, or mount it there (mount --bind)",
            path=os.fsdecode(path),
        )
    return inbox.joinpath(*map(os.fsdecode, parts))


def derivative_path(outbox: Path, path: bytes) -> Path:
    """Return the path of a derivative, which need not exist.

    Raises:
        PathEscapes: the path leads out of the outbox.
        PathTooLong: no file can have this name.
        OutputUnavailable: a folder above it is a link.
    """
    parts = _parts(path)
    whole = len(os.fsencode(outbox)) + 1 + len(path)
    if whole + _RESERVE > LONGEST_PATH or max(map(len, parts)) > LONGEST_NAME:
        raise PathTooLong(
            reason=f"its path in the outbox would have {whole:,} bytes, or one of its parts more than "
            f"{LONGEST_NAME}: no file can have it",
            remedy="give its folders shorter names, or the outbox a shorter path (SAEK_OUTBOX); then run "
            "`saek retry --state quarantined`",
            path=os.fsdecode(path),
        )
    if (link := linked_folder(outbox, parts)) is not None:
        raise OutputUnavailable(
            reason=f"the folder {os.fsdecode(link)!r} in the outbox is a link, which could lead anywhere",
            remedy="put a folder in its place, or mount the other one there (mount --bind)",
        )
    return outbox.joinpath(*map(os.fsdecode, parts))


def linked_folder(root: Path, parts: list[bytes]) -> bytes | None:
    """Return the first folder above the last part that is a link, None if there is none.

    The root itself may be a link.
    """
    try:
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None  # opening the file fails with the reason
    try:
        for depth, part in enumerate(parts[:-1], start=1):
            try:
                below = os.open(part, _FOLDER, dir_fd=here)
            except OSError:
                # ELOOP or ENOTDIR, by system: check what it is
                return b"/".join(parts[:depth]) if _is_link(part, here) else None
            os.close(here)
            here = below
    finally:
        os.close(here)
    return None


def _parts(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    if b"\0" in path or any(part in {b"", b".", b".."} for part in parts):
        raise PathEscapes(
            reason="its path on record leads out of the folder it belongs to, or is empty",
            remedy="the record was tampered with or is damaged: compare it with a backup",
            path=ascii(path),
        )
    return parts


def _is_link(name: bytes, folder: int) -> bool:
    try:
        os.readlink(name, dir_fd=folder)
    except OSError:
        return False
    return True
