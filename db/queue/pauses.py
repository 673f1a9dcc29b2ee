"""Which lanes are held."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session

from db.core.schema import Control, Job
from db.vocabulary import Lane

ALL = "all"


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause in force; `lane` is None when everything is held."""

    lane: Lane | None
    since: dt.datetime
    by: str


def pauses_in_force(s: Session) -> tuple[Pause, ...]:
    """Return the pauses in force, "everything" first."""
    rows = s.execute(
        select(Control.scope, Control.since, Control.by).where(Control.paused).order_by(Control.scope)
    )
    return tuple(Pause(None if scope == ALL else Lane(scope), since, by) for scope, since, by in rows)


def job_is_held() -> ColumnElement[bool]:
    """Return the condition that a job's lane, or everything, is paused."""
    return exists().where(Control.paused, or_(Control.scope == ALL, Control.scope == Job.lane))
