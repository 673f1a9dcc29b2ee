"""Pauses of lanes."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from db.core.schema import Job, LanePause
from db.vocabulary import Lane

ALL = "all"


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause in force; `lane` is None if all lanes are paused."""

    lane: Lane | None
    since: dt.datetime
    by: str


def pauses_in_force(s: Session) -> tuple[Pause, ...]:
    """Return the pauses in force, that of all lanes first."""
    rows = s.execute(
        select(LanePause.scope, LanePause.since, LanePause.by)
        .where(LanePause.paused)
        .order_by(LanePause.scope)
    )
    return tuple(Pause(None if scope == ALL else Lane(scope), since, by) for scope, since, by in rows)


def job_is_paused() -> ColumnElement[bool]:
    """Return the condition that the lane of a job, or all lanes, are paused."""
    return exists().where(LanePause.paused, or_(LanePause.scope == ALL, LanePause.scope == Job.lane))
