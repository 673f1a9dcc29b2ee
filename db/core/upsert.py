"""Inserting rows that another process may be inserting at the same time."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.core.schema import Base


def insert_or_ignore(
    s: Session,
    table: type[Base],
    values: Mapping[str, Any],
    unique: Sequence[str],
    where: ColumnElement[bool] | None = None,
) -> int | None:
    """Insert a row and return its id, or None if a row with the same `unique` columns exists.

    `where` is the condition of a partial index. On PostgreSQL this waits for a transaction that is inserting
    the same row, so that a query after None finds the committed row.
    """
    ids = insert_missing(s, table, [values], unique, where)
    return ids[0] if ids else None


def insert_missing(
    s: Session,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    unique: Sequence[str],
    where: ColumnElement[bool] | None = None,
) -> list[int]:
    """Insert the rows whose `unique` columns do not exist yet; return their ids in no particular order."""
    dialect = postgresql if s.get_bind().dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(table.__table__)
        .on_conflict_do_nothing(index_elements=list(unique), index_where=where)
        .returning(*table.__table__.primary_key)
    )
    return list(s.scalars(statement, [dict(row) for row in rows]))
