"""What became of each file."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from db.vocabulary import FileState


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file: `since` is when it came to its state, `derivative_*` the latest file made of its scan."""

    sighting_id: int
    scan_id: int | None
    job_id: int | None
    root: str
    path: bytes
    display: str
    collection: str
    state: FileState
    since: dt.datetime
    gone: bool
    code: str | None
    reason: str | None
    remedy: str | None
    derivative_root: str | None
    derivative_path: bytes | None
    derivative_display: str | None
    seconds: float | None


def files(
    s: Session,
    state: FileState | None = None,
    collection: str | None = None,
    limit: int | None = None,
    after: int | None = None,
) -> Iterator[FileRow]:
    """Yield files in order of sighting id, those after the id `after`, at most `limit`, in bounded memory."""
    raise NotImplementedError
