"""What became of each file."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, aliased

from db.file_states import file_state, over_live_files
from db.schema import Derivative, Job, Scan, Sighting
from db.selection import in_collection
from db.vocabulary import FileState

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file: `since` is when it came to its state, `derivative_*` the latest file made of its scan.

    `reason` is what a queued file waits for, or why nothing became of one that ended without a derivative;
    `seconds` is what making the derivative took.
    """

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
    """Yield files in order of sighting id, those after the id `after`, at most `limit`, in bounded memory.

    `collection` takes in its sub-folders. The session must stay open while the iterator is used.
    """
    latest, other = aliased(Derivative), aliased(Derivative)
    latest_id = (
        select(other.id)  # by time: in a recovered record the ids tell no order
        .where(other.scan_id == Sighting.scan_id)
        .order_by(other.created_at.desc(), other.id.desc())
        .limit(1)
        .correlate(Sighting)
        .scalar_subquery()
    )
    query = over_live_files(
        select(
            Sighting.id,
            Sighting.scan_id,
            Sighting.root,
            Sighting.path,
            Sighting.display,
            Sighting.collection,
            Sighting.first_seen_at,
            Sighting.gone_at,
            file_state().label("state"),
            func.coalesce(Sighting.problem_code, Scan.problem_code).label("problem_code"),
            func.coalesce(Sighting.problem_reason, Scan.problem_reason).label("problem_reason"),
            func.coalesce(Sighting.problem_remedy, Scan.problem_remedy).label("problem_remedy"),
            func.coalesce(Sighting.quarantined_at, Scan.quarantined_at).label("quarantined_at"),
            Job.id.label("job_id"),
            Job.queued_at,
            Job.started_at,
            Job.finished_at,
            Job.wait_reason,
            Job.failure_code,
            Job.failure_reason,
            Job.failure_remedy,
            latest.root.label("derivative_root"),
            latest.path.label("derivative_path"),
            latest.display.label("derivative_display"),
            latest.seconds,
        )
    )
    query = query.outerjoin(latest, latest.id == latest_id).order_by(Sighting.id)
    if state is not None:
        query = query.where(file_state() == state.value)
    if collection is not None:
        query = query.where(in_collection(collection))
    left = limit
    while left is None or left > 0:
        page_size = _PAGE if left is None else min(left, _PAGE)
        page = query if after is None else query.where(Sighting.id > after)
        rows = s.execute(page.limit(page_size)).all()
        yield from map(_file_row, rows)
        if len(rows) < page_size:
            return
        after = rows[-1].id
        left = None if left is None else left - len(rows)


def _file_row(row: Row[Any]) -> FileRow:
    state = FileState(row.state)
    code, reason, remedy = _why(state, row)
    return FileRow(
        sighting_id=row.id,
        scan_id=row.scan_id,
        job_id=row.job_id,
        root=row.root,
        path=row.path,
        display=row.display,
        collection=row.collection,
        state=state,
        since=_since(state, row),
        gone=row.gone_at is not None,
        code=code,
        reason=reason,
        remedy=remedy,
        derivative_root=row.derivative_root,
        derivative_path=row.derivative_path,
        derivative_display=row.derivative_display,
        seconds=row.seconds,
    )


def _why(state: FileState, row: Row[Any]) -> tuple[str | None, str | None, str | None]:
    if state in {FileState.QUARANTINED, FileState.GONE} and row.problem_code is not None:
        return row.problem_code, row.problem_reason, row.problem_remedy
    if state in {FileState.FAILED, FileState.CANCELLED, FileState.GONE}:
        return row.failure_code, row.failure_reason, row.failure_remedy
    return None, row.wait_reason if state is FileState.QUEUED else None, None


def _since(state: FileState, row: Row[Any]) -> dt.datetime:
    moments: dict[FileState, dt.datetime] = {
        FileState.DONE: row.finished_at,
        FileState.RUNNING: row.started_at,
        FileState.QUEUED: row.queued_at,
        FileState.QUARANTINED: row.quarantined_at,
        FileState.FAILED: row.finished_at,
        FileState.CANCELLED: row.finished_at,
        FileState.REGISTERED: row.first_seen_at,
        FileState.GONE: row.gone_at,
    }
    return moments[state]
