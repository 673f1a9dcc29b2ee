"""Alembic migrations of the tables."""

from db.migrations.runner import check, upgrade

__all__ = [
    "check",
    "upgrade",
]
