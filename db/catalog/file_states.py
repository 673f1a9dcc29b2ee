"""What state a file is in, as an expression over its sighting, its scan and the scan's jobs."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
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
"""States of jobs that a file's own state may not tell, and that want to be known."""

COVERS_ALL_JOBS: Final = (FileState.QUARANTINED, FileState.GONE)
"""Of such a file nothing was ever made, and what its jobs came to is told by this state."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many live files of a collection are in a state, and have the same further jobs that ended badly.

    `also` are the states of those further jobs: `failed` for a file that is done by another recipe.
    """

    collection: str
    state: FileState
    also: frozenset[JobState]
    files: int


def over_live_files(query: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Let a query see each live `Sighting` with its `Scan` and its leading `Job`, where there are any.

    The leading job is the one that speaks for the file: work under way before work done before work that came
    to nothing, the latest among equals.
    """
    return (
        query.select_from(Sighting)
        .outerjoin(Scan, Scan.id == Sighting.scan_id)
        .outerjoin(Job, Job.id == _leading_job())
        .where(Sighting.superseded_at.is_(None))
    )


def file_state() -> ColumnElement[str]:
    """Return the value of the `FileState` of a row of `over_live_files`."""
    return _file_state(lambda state: Job.state == state)


def in_states(states: Collection[FileState]) -> ColumnElement[bool]:
    """Return the condition that a row of `over_live_files` is in one of these states, or another of its jobs.

    A done file of which a job by another recipe failed is both done and failed.
    """
    own = file_state().in_([state.value for state in states])
    jobs = job_states(states)
    if not jobs:
        return own
    job = aliased(Job)
    another = exists().where(job.scan_id == Sighting.scan_id, job.state.in_(jobs)).correlate(Sighting)
    return or_(own, and_(file_state().not_in([state.value for state in COVERS_ALL_JOBS]), another))


def job_states(states: Collection[FileState]) -> list[JobState]:
    """Return those of the states that a job can be in too."""
    return [JobState(state.value) for state in states if state.value in set(JobState)]


def latest_job_in(states: Collection[JobState]) -> ScalarSelect[int]:
    """Return the id of the latest job, in one of these states, of a row of `over_live_files`."""
    job = aliased(Job)
    return (
        select(job.id)
        .where(job.scan_id == Sighting.scan_id, job.state.in_(states))
        .order_by(job.id.desc())
        .limit(1)
        .correlate(Sighting)
        .scalar_subquery()
    )


def count_file_states(s: Session) -> Iterator[Counted]:
    """Yield how many live files of each collection are in each state, where there are any.

    The state of the leading job is all that counts here, so that jobs are read once, in bulk: to look up the
    leading job of each of a million files takes several times as long.
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
        told = own in COVERS_ALL_JOBS
        also = frozenset() if told else frozenset(job for job in jobs if job.value != own.value)
        yield Counted(collection, own, also, count)


def _file_state(leads: Callable[[JobState], ColumnElement[bool]]) -> ColumnElement[str]:
    """Return the state of a file whose leading job is in the state that `leads` tells."""
    missed = func.coalesce(Scan.problem_code, "") == MISSING_FILE
    return case(
        (leads(JobState.RUNNING), FileState.RUNNING.value),
        (leads(JobState.QUEUED), FileState.QUEUED.value),
        (leads(JobState.DONE), FileState.DONE.value),
        # A file that went before its turn is a loss to be told; one that went after it was refused is not.
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
