"""How a row is entered that another process may be entering at the same time."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.schema import Base


def insert_or_ignore(
    s: Session,
    table: type[Base],
    values: Mapping[str, Any],
    unique: Sequence[str],
    where: ColumnElement[bool] | None = None,
) -> int | None:
    """Insert a row and return its id, or None when `unique` (a constraint's columns) is taken.

    `where` is the condition of a partial index. On PostgreSQL this waits for a transaction that is entering
    the same row, so that a look after None finds what that one committed.
    """
    dialect = postgresql if s.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(table)
        .values(**values)
        .on_conflict_do_nothing(index_elements=list(unique), index_where=where)
        .returning(table.__table__.c.id)
    )
    new_id: int | None = s.scalar(statement)
    return new_id
