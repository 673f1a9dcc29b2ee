"""Files of jobs: their names for people and the paths of their scans."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ScalarSelect, select
from sqlalchemy.orm import Session

from db.core.schema import Job, Sighting


def job_scan_paths(s: Session, job_id: int) -> list[bytes]:
    """Return all paths at which the scan of a job was ever seen."""
    seen = select(Sighting.path).join(Job, Job.scan_id == Sighting.scan_id).where(Job.id == job_id)
    return list(s.scalars(seen.distinct()))


def job_file_names(s: Session, job_ids: Iterable[int]) -> dict[int, str]:
    """Return the display names of the files of jobs, by job id; unknown jobs are left out."""
    named = select(Job.id, job_file_name()).where(Job.id.in_(list(job_ids)))
    return {job_id: display for job_id, display in s.execute(named) if display is not None}


def job_file_name() -> ScalarSelect[Any]:
    """Return the display name of a job's file as a subquery: the first file that exists or else existed."""
    return (
        select(Sighting.display)
        .where(Sighting.scan_id == Job.scan_id)
        .order_by(Sighting.superseded_at.is_not(None), Sighting.gone_at.is_not(None), Sighting.id)
        .limit(1)
        .correlate(Job)
        .scalar_subquery()
    )
