"""The clock of the record: that of the database server where there is one, since hosts may disagree."""

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.values import utcnow


def current_time(s: Session) -> dt.datetime:
    """Return the time now, aware, in UTC: of the PostgreSQL server, or of this host for a SQLite file.

    One host grants itself a lease and another takes it back: both must use the same clock.
    """
    if s.get_bind().dialect.name != "postgresql":
        return utcnow()
    now: dt.datetime = s.scalars(select(func.clock_timestamp())).one()
    return now.astimezone(dt.UTC)
