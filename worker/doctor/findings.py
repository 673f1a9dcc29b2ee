"""Result of a check."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Severity of the result of a check."""

    OK = "ok"
    WARNING = "warning"
    """Work continues, but something needs attention."""
    FAILED = "failed"
    """A station cannot work."""


@dataclass(frozen=True, slots=True)
class Check:
    """Name of a check, its result, and the remedy ("" if none is needed)."""

    name: str
    state: State
    found: str
    remedy: str = ""
