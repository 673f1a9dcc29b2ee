"""How a file appears under its name: whole, durable, or not at all.

A process that is killed may leave a hidden `.NAME.*.part` behind, never a half `NAME`.
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
def draft(out: Path) -> Iterator[Path]:
    """Yield a hidden name beside `out`; whatever leaves the body by an error takes the file with it.

    Raises as `writing_to`.
    """
    path = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    with writing_to(out.parent):
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Tell what keeps a file from being written: NoSpace if the disk is full, else OutputUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(
                reason=f"the disk of {display_name(folder)} is full",
                remedy="free some space; work goes on by itself",
            ) from error
        raise OutputUnavailable(
            reason=f"{display_name(folder)} cannot be written to ({error.strerror or error})",
            remedy="see that it is there and that Saek may write to it; work goes on by itself",
        ) from error


def publish(path: Path, out: Path) -> None:
    """Bring a finished file to the disk and give it its name, replacing what was there."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.replace(out)
    folder = os.open(out.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def digest(path: Path) -> tuple[int, str]:
    """Return size and sha256 of a file."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        return file.seek(0, 2), found
