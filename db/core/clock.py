"""Which clock the record goes by: the server's, where there is one; hosts need not agree on the time then."""

import datetime as dt

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.values import utcnow


def current_time(s: Session) -> dt.datetime:
    """Return the time now, aware, in UTC: of the PostgreSQL server, or of this host for a SQLite file.

    A lease that one host gives itself and another takes back must be measured by one clock.
    """
    if s.get_bind().dialect.name != "postgresql":
        return utcnow()
    now: dt.datetime = s.scalars(select(func.clock_timestamp())).one()
    return now.astimezone(dt.UTC)
