"""What state a file is in, as an expression over its sighting, its scan and the scan's jobs."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, case, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from db.schema import Job, Scan, Sighting
from db.values import MISSING_FILE
from db.vocabulary import FileState, JobState

_PRECEDENCE: Final = (
    JobState.RUNNING,
    JobState.QUEUED,
    JobState.DONE,
    JobState.FAILED,
    JobState.CANCELLED,
)


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


def file_states_counted(s: Session) -> Iterator[tuple[str, FileState, int]]:
    """Yield how many live files of each collection are in each state, where there are any.

    The state of the leading job is all that counts here, so that jobs are read once, in bulk: to look up the
    leading job of each of a million files takes several times as long.
    """
    leading = select(Job.scan_id, func.min(_rank(Job.state)).label("rank")).group_by(Job.scan_id).subquery()
    state = _file_state(lambda state: leading.c.rank == _PRECEDENCE.index(state)).label("state")
    files = (
        select(Sighting.collection, state)
        .outerjoin(Scan, Scan.id == Sighting.scan_id)
        .outerjoin(leading, leading.c.scan_id == Sighting.scan_id)
        .where(Sighting.superseded_at.is_(None))
        .subquery()
    )
    query = select(files.c.collection, files.c.state, func.count())
    for collection, value, count in s.execute(query.group_by(files.c.collection, files.c.state)):
        yield collection, FileState(value), count


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
