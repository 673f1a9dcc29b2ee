"""Atomic, durable writing: a file appears under its name complete, or not at all.

The steps are those of every database: write a draft in the same folder, flush it to the disk (fsync), rename
it, flush the folder to the disk. A process that is killed leaves the draft behind, never an incomplete file.
"""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from restoration.errors import NoSpace, OutputUnavailable, display_name


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Turn an OSError of the body into NoSpace if the disk is full, else into OutputUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(
                reason=f"the disk of {display_name(folder)} is full",
                remedy="free some space; work continues automatically",
            ) from error
        raise OutputUnavailable(
            reason=f"{display_name(folder)} cannot be written to ({error.strerror or error})",
            remedy="check that it exists and that Saek may write to it; work continues automatically",
        ) from error


def draft_name(out: Path) -> str:
    """Return the name of a draft that only one process writes: its next run replaces what a kill left."""
    return f".{out.name}.draft"


@contextmanager
def draft(out: Path, name: str | None = None) -> Iterator[Path]:
    """Yield a path beside `out` where no file exists; a file that is there at the end is removed.

    `name` is that of the draft, by default `.NAME.*.part` with a random part. Raises as `writing_to` if the
    draft cannot be removed.
    """
    path = out.with_name(name or f".{out.name}.{secrets.token_hex(4)}.part")
    with writing_to(out.parent):
        path.unlink(missing_ok=True)  # of a process that was killed, or a link that leads elsewhere
    try:
        yield path
    finally:
        with writing_to(out.parent):
            path.unlink(missing_ok=True)


def publish(path: Path, out: Path) -> None:
    """Flush a finished draft to the disk and rename it to `out`, replacing what was there.

    Raises as `writing_to`.
    """
    with writing_to(out.parent):
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        path.replace(out)
        sync_folder(out.parent)


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(out: Path, name: str | None = None) -> Iterator[Path]:
    """Yield a draft (`name` as for `draft`) that becomes `out` when the body ends without an error.

    Raises as `writing_to`, for the body as well.
    """
    with writing_to(out.parent), draft(out, name) as path:
        yield path
        publish(path, out)


def write_file(out: Path, content: bytes, name: str | None = None) -> None:
    """Replace a file by `content`, by way of a draft (`name` as for `draft`). Raises as `writing_to`."""
    with replacing(out, name) as path, path.open("xb") as file:
        file.write(content)


def digest(path: Path) -> tuple[int, str]:
    """Return size and sha256 (lowercase hex) of a file. Raises OSError."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        return file.seek(0, 2), found
