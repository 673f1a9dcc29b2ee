"""The presence of inbox and outbox: a disk that is away must not be taken for lost files."""

import os
from dataclasses import dataclass
from pathlib import Path


class FolderAway(Exception):
    """The folder cannot be read, is empty, or is no longer the one that it was."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that existed when the check began; `place` is its device and inode."""

    path: Path
    may_be_empty: bool
    place: tuple[int, int]

    @classmethod
    def found(cls, path: Path, *, may_be_empty: bool) -> "Folder":
        """Return the folder at `path`. Raises FolderAway, also if it is empty and may not be."""
        return cls(path, may_be_empty, _place(path, may_be_empty))

    def still_there(self) -> None:
        """Raise FolderAway if it is gone or another folder took its place, as after an unmount."""
        if _place(self.path, self.may_be_empty) != self.place:
            raise FolderAway("it is not the same folder as before; was it unmounted?")


def _place(path: Path, may_be_empty: bool) -> tuple[int, int]:
    try:
        status = path.stat()
        with os.scandir(path) as entries:
            empty = next(entries, None) is None
    except OSError as error:
        raise FolderAway(f"it cannot be read ({error.strerror})") from error
    if empty and not may_be_empty:
        raise FolderAway("it is empty, although files in it are on record; is it mounted?")
    return status.st_dev, status.st_ino
