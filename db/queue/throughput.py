"""Throughput: jobs and pixels over the time in which any job ran."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from db.core.schema import Derivative, Job

THROUGHPUT_WINDOW: Final = dt.timedelta(minutes=15)
"""Window over which the throughput is measured."""

_MAX_DERIVATIVES: Final = 5_000
"""Maximum number of derivatives to measure; a large station makes more within the window."""

_LATEST: Final = 200
"""Number of latest derivatives to measure when none was finished within the window."""

_HANDOVER: Final = dt.timedelta(seconds=10)
"""Longer than it takes to hand a queued job to a worker; a longer gap counts as idle."""

_MIN_WORKED: Final = dt.timedelta(milliseconds=10)


@dataclass(frozen=True, slots=True)
class Throughput:
    """Work finished within the last `window`, and the time `worked` on it.

    Time in which no job ran does not count; time in which several ran counts once. `worked` may begin before
    the window, and may be longer than it.
    """

    window: dt.timedelta
    jobs: int
    megapixels: float
    worked: dt.timedelta


def recent_throughput(s: Session, now: dt.datetime) -> Throughput:
    """Return what was finished within the last quarter of an hour."""
    within = (Derivative.created_at > now - THROUGHPUT_WINDOW, Derivative.created_at <= now)
    return _measure(s, _MAX_DERIVATIVES, *within)


def latest_throughput(s: Session) -> Throughput:
    """Return the throughput of the latest derivatives, whenever they were made; ignore its window."""
    return _measure(s, _LATEST)


def _measure(s: Session, most: int, *conditions: ColumnElement[bool]) -> Throughput:
    rows = s.execute(
        select(Derivative.width, Derivative.height, Job.started_at, Derivative.created_at, Job.queued_at)
        .join(Job, Job.id == Derivative.job_id)
        .where(Job.started_at.is_not(None), *conditions)  # recovered jobs have no start
        .order_by(Derivative.created_at.desc())
        .limit(most)
    ).all()
    pixels = sum(row.width * row.height for row in rows)
    worked = _worked(rows)
    return Throughput(THROUGHPUT_WINDOW, len(rows), pixels / 1e6, worked)


def _worked(jobs: Iterable[Any]) -> dt.timedelta:
    """Return for how long at least one of the jobs ran, including the handover from one to the next."""
    # A job that ended before it began, by a clock that was turned back, took no time.
    spans = sorted((min(job.started_at, job.created_at), job.created_at, job.queued_at) for job in jobs)
    worked, last = dt.timedelta(0), None
    for began, ended, queued in spans:
        start = began
        if last is not None and (start <= last or (queued <= last and start - last <= _HANDOVER)):
            start = last
        worked += max(ended - start, dt.timedelta(0))
        last = ended if last is None else max(last, ended)
    return max(worked, _MIN_WORKED) if last is not None else worked
