"""Database connections, tables, events and job transitions."""

from db.core import schema
from db.core.clock import current_time
from db.core.engine import Database, open_database
from db.core.events import agent_id
from db.core.revision import current_revision, head_revision, require_current

__all__ = [
    "Database",
    "agent_id",
    "current_revision",
    "current_time",
    "head_revision",
    "open_database",
    "require_current",
    "schema",
]
