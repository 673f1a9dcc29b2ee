"""How fast the work goes while it goes."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from db.core.schema import Derivative, Job

THROUGHPUT_WINDOW: Final = dt.timedelta(minutes=15)
"""How far back the throughput looks."""

_LATEST: Final = 5_000
"""So many derivatives tell the throughput well enough; a large station makes more within the window."""

_FEW: Final = 200
"""So many of the latest derivatives tell the pace where nothing was finished within the window."""

_HANDOVER: Final = dt.timedelta(seconds=10)
"""Longer than it takes to hand a waiting job to a worker; what waits longer is held up by something."""

_LEAST: Final = dt.timedelta(milliseconds=10)


@dataclass(frozen=True, slots=True)
class Throughput:
    """What was finished within the last `window`, and for how long anything was `worked` on for that.

    Time in which no job ran does not count, and time in which several ran counts once. `worked` may begin
    before the window, and is longer than it where one job is.
    """

    window: dt.timedelta
    jobs: int
    megapixels: float
    worked: dt.timedelta


def recent_throughput(s: Session, now: dt.datetime) -> Throughput:
    """Return what was finished within the last quarter of an hour."""
    within = (Derivative.created_at > now - THROUGHPUT_WINDOW, Derivative.created_at <= now)
    return _measure(s, _LATEST, *within)


def latest_throughput(s: Session) -> Throughput:
    """Return the same of the latest derivatives, whenever they were made; its window means nothing."""
    return _measure(s, _FEW)


class _Span(NamedTuple):
    """From the start of a job to its end, and since when it had waited."""

    began: dt.datetime
    ended: dt.datetime
    queued: dt.datetime


def _measure(s: Session, most: int, *conditions: ColumnElement[bool]) -> Throughput:
    rows = s.execute(
        select(Derivative.width, Derivative.height, Job.started_at, Derivative.created_at, Job.queued_at)
        .join(Job, Job.id == Derivative.job_id)
        .where(Job.started_at.is_not(None), *conditions)  # a recovered record tells no start
        .order_by(Derivative.created_at.desc())
        .limit(most)
    ).all()
    pixels = sum(row.width * row.height for row in rows)
    worked = _worked(_span(row) for row in rows)
    return Throughput(THROUGHPUT_WINDOW, len(rows), pixels / 1e6, worked)


def _span(row: Any) -> _Span:
    """Return the time of a job; one that ended before it began, by a clock that was put back, took none."""
    return _Span(min(row.started_at, row.created_at), row.created_at, row.queued_at)


def _worked(spans: Iterable[_Span]) -> dt.timedelta:
    """Return for how long at least one of the jobs ran, with the handing over from one to the next."""
    worked, last = dt.timedelta(0), None
    for span in sorted(spans):
        begins = span.began
        if last is not None and (begins <= last or (span.queued <= last and begins - last <= _HANDOVER)):
            begins = last
        worked += max(span.ended - begins, dt.timedelta(0))
        last = span.ended if last is None else max(last, span.ended)
    return max(worked, _LEAST) if last is not None else worked
