"""How a check of the doctor comes out."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """Work goes on, but not as it should."""
    FAILED = "failed"
    """A station cannot work like this."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do about it ("" when all is well)."""

    name: str
    state: State
    found: str
    remedy: str = ""
