"""The state of a file as an SQL expression, and the count of files by state."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from db.core.schema import Job, Scan, Sighting
from db.values import MISSING_FILE
from db.vocabulary import FileState, JobState

_PRECEDENCE: Final = (
    JobState.RUNNING,
    JobState.QUEUED,
    JobState.DONE,
    JobState.FAILED,
    JobState.CANCELLED,
)

UNSUCCESSFUL: Final = (JobState.FAILED, JobState.CANCELLED)
"""States of jobs that are reported even if the file itself is in another state."""

COVERS_ALL_JOBS: Final = (FileState.QUARANTINED, FileState.GONE)
"""States of files without a derivative that also cover the states of their jobs."""


def over_live_files(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Join each live `Sighting` with its `Scan` and its leading `Job`, if any, in a query.

    The leading job determines the state of the file: running before queued before done before failed before
    cancelled, the latest among equals.
    """
    return (
        query.select_from(Sighting)
        .outerjoin(Scan, Scan.id == Sighting.scan_id)
        .outerjoin(Job, Job.id == _leading_job())
        .where(Sighting.superseded_at.is_(None))
    )


def file_state() -> ColumnElement[str]:
    """Return the `FileState` of a row of `over_live_files` as an expression."""
    return _file_state(lambda state: Job.state == state)


def in_states(states: Collection[FileState]) -> ColumnElement[bool]:
    """Return the condition that a row of `over_live_files`, or any of its jobs, is in one of these states.

    A done file with a failed job by another recipe is both done and failed.
    """
    own = file_state().in_([state.value for state in states])
    jobs = job_states(states)
    if not jobs:
        return own
    job = aliased(Job)
    another = exists().where(job.scan_id == Sighting.scan_id, job.state.in_(jobs)).correlate(Sighting)
    return or_(own, and_(file_state().not_in([state.value for state in COVERS_ALL_JOBS]), another))


def job_states(states: Collection[FileState]) -> list[JobState]:
    """Return those of the file states that are job states too."""
    return [JobState(state.value) for state in states if state.value in set(JobState)]


def latest_job_in(states: Collection[JobState]) -> ScalarSelect[int]:
    """Return the id of the latest job in one of these states of a row of `over_live_files`."""
    job = aliased(Job)
    return (
        select(job.id)
        .where(job.scan_id == Sighting.scan_id, job.state.in_(states))
        .order_by(job.id.desc())
        .limit(1)
        .correlate(Sighting)
        .scalar_subquery()
    )


def count_file_states(s: Session) -> Iterator[tuple[str, FileState, frozenset[JobState], int]]:
    """Yield collection, state, further states of jobs (failed, cancelled) and the number of such live files.

    Only the state of the leading job matters here, so jobs are read once, in bulk: looking up the leading job
    of each of a million files takes several times as long.
    """
    leading = (
        select(
            Job.scan_id,
            func.min(_rank(Job.state)).label("rank"),
            *(func.max(case((Job.state == state, 1), else_=0)).label(state.value) for state in UNSUCCESSFUL),
        )
        .group_by(Job.scan_id)
        .subquery()
    )
    state = _file_state(lambda state: leading.c.rank == _PRECEDENCE.index(state)).label("state")
    files = (
        select(
            Sighting.collection,
            state,
            *(func.coalesce(leading.c[ended.value], 0).label(ended.value) for ended in UNSUCCESSFUL),
        )
        .outerjoin(Scan, Scan.id == Sighting.scan_id)
        .outerjoin(leading, leading.c.scan_id == Sighting.scan_id)
        .where(Sighting.superseded_at.is_(None))
        .subquery()
    )
    groups = (files.c.collection, files.c.state, *(files.c[ended.value] for ended in UNSUCCESSFUL))
    for collection, value, *ended, count in s.execute(select(*groups, func.count()).group_by(*groups)):
        jobs = {job_state for job_state, there in zip(UNSUCCESSFUL, ended, strict=True) if there}
        own = FileState(value)
        others = (job for job in jobs if job.value != own.value)
        yield collection, own, frozenset(() if own in COVERS_ALL_JOBS else others), count


def _file_state(leads: Callable[[JobState], ColumnElement[bool]]) -> ColumnElement[str]:
    """Return the state of a file; `leads` is the condition that its leading job is in a state."""
    missed = func.coalesce(Scan.problem_code, "") == MISSING_FILE
    return case(
        (leads(JobState.RUNNING), FileState.RUNNING.value),
        (leads(JobState.QUEUED), FileState.QUEUED.value),
        (leads(JobState.DONE), FileState.DONE.value),
        # A file that was missing when its job ran is quarantined; one that left the inbox otherwise is gone.
        (and_(Sighting.gone_at.is_not(None), ~missed), FileState.GONE.value),
        (
            or_(Sighting.problem_code.is_not(None), Scan.problem_code.is_not(None)),
            FileState.QUARANTINED.value,
        ),
        (leads(JobState.FAILED), FileState.FAILED.value),
        (leads(JobState.CANCELLED), FileState.CANCELLED.value),
        else_=FileState.REGISTERED.value,
    )


def _leading_job() -> ScalarSelect[int]:
    job = aliased(Job)
    return (
        select(job.id)
        .where(job.scan_id == Sighting.scan_id)
        .order_by(_rank(job.state), job.id.desc())
        .limit(1)
        .correlate(Sighting)
        .scalar_subquery()
    )


def _rank(state: InstrumentedAttribute[JobState]) -> ColumnElement[int]:
    return case({state: place for place, state in enumerate(_PRECEDENCE)}, value=state)
