"""The list of files with their states and derivatives."""

import datetime as dt
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, func, or_, select
from sqlalchemy.orm import Session, aliased

from db.catalog.file_states import (
    COVERS_ALL_JOBS,
    file_state,
    in_states,
    job_states,
    latest_job_in,
    over_live_files,
)
from db.catalog.links import DerivativeName, links_of
from db.catalog.selection import in_collection
from db.core.schema import Derivative, Job, Scan, Sighting
from db.vocabulary import FileState, JobState

_PAGE: Final = 500
_SUFFIX: Final = re.compile(rb"[0-9a-f]{8,64}-[0-9a-f]{8,64}\.[A-Za-z0-9]+")
"""The part of a derivative's name after the stem of its master."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file with its state and the latest derivative of its scan.

    `state` is the state by which it is listed, `file_state` its own. They differ if states were requested and
    another job of its scan is in one of them: then `job_id`, `since` and the reason are those of that job.
    `failed_job_id` is a further failed job, None without one or if it is `job_id`.

    Of several names of the derivative, `derivative_path` is the one that matches the path of the file.

    `since` is when the file came to its state. `reason` is what a queued file waits for, or why another one
    has no derivative. `seconds` is the duration of the restoration.
    """

    sighting_id: int
    scan_id: int | None
    job_id: int | None
    root: str
    path: bytes
    display: str
    collection: str
    state: FileState
    file_state: FileState
    failed_job_id: int | None
    since: dt.datetime
    gone: bool
    code: str | None
    reason: str | None
    remedy: str | None
    derivative_root: str | None
    derivative_path: bytes | None
    derivative_display: str | None
    seconds: float | None


def list_files(
    s: Session,
    states: Collection[FileState] = (),
    collections: Collection[str] = (),
    limit: int | None = None,
    after: int | None = None,
) -> Iterator[FileRow]:
    """Yield files in order of sighting id, from `after` on, at most `limit`, in bounded memory.

    `states` selects files that are in one of them or have a job that is, each once; `collections` selects
    those in one of them or below it. The session must stay open while the iterator is used.
    """
    another, failed = aliased(Job), aliased(Job)
    latest, other = aliased(Derivative), aliased(Derivative)
    latest_id = (
        select(other.id)  # by time: in a recovered record ids are not in order of time
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
            another.id.label("another_id"),
            another.state.label("another_state"),
            another.queued_at.label("another_queued_at"),
            another.started_at.label("another_started_at"),
            another.finished_at.label("another_finished_at"),
            another.wait_reason.label("another_wait_reason"),
            another.failure_code.label("another_failure_code"),
            another.failure_reason.label("another_failure_reason"),
            another.failure_remedy.label("another_failure_remedy"),
            failed.id.label("failed_id"),
            latest.id.label("derivative_id"),
            latest.root.label("derivative_root"),
            latest.path.label("derivative_path"),
            latest.display.label("derivative_display"),
            latest.seconds,
        )
    )
    query = (
        query.outerjoin(latest, latest.id == latest_id)
        .outerjoin(another, another.id == latest_job_in(job_states(states)))
        .outerjoin(failed, failed.id == latest_job_in([JobState.FAILED]))
        .order_by(Sighting.id)
    )
    if states:
        query = query.where(in_states(states))
    if collections:
        query = query.where(or_(*map(in_collection, collections)))
    left = limit
    while left is None or left > 0:
        page_size = _PAGE if left is None else min(left, _PAGE)
        page = query if after is None else query.where(Sighting.id > after)
        rows = s.execute(page.limit(page_size)).all()
        links = links_of(s, {row.derivative_id for row in rows if row.derivative_id is not None})
        for row in rows:
            yield _file_row(row, states, links.get(row.derivative_id, ()))
        if len(rows) < page_size:
            return
        after = rows[-1].id
        left = None if left is None else left - len(rows)


def _file_row(row: Row[Any], states: Collection[FileState], links: Sequence[DerivativeName]) -> FileRow:
    name = _own_name(row.path, links) if links else None
    own = FileState(row.state)
    by_another = bool(states) and own not in states
    state, stem = (FileState(row.another_state), "another_") if by_another else (own, "")
    job = {name: row._mapping[f"{stem}{name}"] for name in _OF_JOB}
    code, reason, remedy = _why(state, row, job)
    job_id = row.another_id if by_another else row.job_id
    covered = own in COVERS_ALL_JOBS
    return FileRow(
        sighting_id=row.id,
        scan_id=row.scan_id,
        job_id=job_id,
        root=row.root,
        path=row.path,
        display=row.display,
        collection=row.collection,
        state=state,
        file_state=own,
        failed_job_id=None if covered or row.failed_id == job_id else row.failed_id,
        since=_since(state, row, job),
        gone=row.gone_at is not None,
        code=code,
        reason=reason,
        remedy=remedy,
        derivative_root=row.derivative_root,
        derivative_path=row.derivative_path if name is None else name.path,
        derivative_display=row.derivative_display if name is None else name.display,
        seconds=row.seconds,
    )


_OF_JOB: Final = (
    "queued_at",
    "started_at",
    "finished_at",
    "wait_reason",
    "failure_code",
    "failure_reason",
    "failure_remedy",
)


def _own_name(path: bytes, links: Sequence[DerivativeName]) -> DerivativeName | None:
    """Return the name in the same folder and with the same stem as the file, None without one."""
    folder, slash, name = path.rpartition(b"/")
    start = folder + slash + (name.rpartition(b".")[0] or name) + b"."
    for link in links:
        if link.path.startswith(start) and _SUFFIX.fullmatch(link.path, len(start)):
            return link
    return None


def _why(
    state: FileState, row: Row[Any], job: Mapping[str, Any]
) -> tuple[str | None, str | None, str | None]:
    if state in {FileState.QUARANTINED, FileState.GONE} and row.problem_code is not None:
        return row.problem_code, row.problem_reason, row.problem_remedy
    if state in {FileState.FAILED, FileState.CANCELLED, FileState.GONE}:
        return job["failure_code"], job["failure_reason"], job["failure_remedy"]
    return None, job["wait_reason"] if state is FileState.QUEUED else None, None


def _since(state: FileState, row: Row[Any], job: Mapping[str, Any]) -> dt.datetime:
    moments: dict[FileState, dt.datetime] = {
        FileState.DONE: job["finished_at"],
        FileState.RUNNING: job["started_at"],
        FileState.QUEUED: job["queued_at"],
        FileState.QUARANTINED: row.quarantined_at,
        FileState.FAILED: job["finished_at"],
        FileState.CANCELLED: job["finished_at"],
        FileState.REGISTERED: row.first_seen_at,
        FileState.GONE: row.gone_at,
    }
    return moments[state]
