"""Check that the append-only triggers of agents, events and seals are there (migration 0002 creates them)."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "sqlite": (
        "agent_never_updated",
        "agent_never_deleted",
        "event_never_updated",
        "event_never_deleted",
        "event_never_replaced",
        "seal_never_updated",
        "seal_never_deleted",
        "seal_never_replaced",
    ),
    "postgresql": ("agent_only_grows", "event_only_grows", "seal_only_grows"),
}
_ENABLED: Final = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " WHERE c.relnamespace = current_schema()::regnamespace AND t.tgenabled IN ('O', 'A')",
}


def missing_triggers(s: Session) -> tuple[str, ...]:
    """Return the names of the triggers that are missing or disabled: events could be changed unnoticed."""
    dialect = s.get_bind().dialect.name
    enabled = set(s.scalars(text(_ENABLED[dialect])))
    return tuple(name for name in _REQUIRED[dialect] if name not in enabled)
