"""What state a file is in, as an expression over its sighting, its scan and the scan's jobs."""

from typing import Any, Final

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, case, func, or_, select
from sqlalchemy.orm import aliased

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
    missed = func.coalesce(Scan.problem_code, "") == MISSING_FILE
    return case(
        (Job.state == JobState.RUNNING, FileState.RUNNING.value),
        (Job.state == JobState.QUEUED, FileState.QUEUED.value),
        (Job.state == JobState.DONE, FileState.DONE.value),
        # A file that went before its turn is a loss to be told; one that went after it was refused is not.
        (and_(Sighting.gone_at.is_not(None), ~missed), FileState.GONE.value),
        (
            or_(Sighting.problem_code.is_not(None), Scan.problem_code.is_not(None)),
            FileState.QUARANTINED.value,
        ),
        (Job.state == JobState.FAILED, FileState.FAILED.value),
        (Job.state == JobState.CANCELLED, FileState.CANCELLED.value),
        else_=FileState.REGISTERED.value,
    )


def _leading_job() -> ScalarSelect[int]:
    job = aliased(Job)
    rank = case({state: place for place, state in enumerate(_PRECEDENCE)}, value=job.state)
    return (
        select(job.id)
        .where(job.scan_id == Sighting.scan_id)
        .order_by(rank, job.id.desc())
        .limit(1)
        .correlate(Sighting)
        .scalar_subquery()
    )
