r"""Canonical form of events and seals: the bytes whose sha256 is the digest of a seal.

Form 1. An event is one line of ASCII: a JSON object with sorted keys and no spaces, other characters as
`\uXXXX`. It has every column of the row, with the agent as an object and `at` in UTC with microseconds and
`Z`. Whole numbers have all digits and no decimal point, since databases disagree on that. The lines of the
events are followed by one of the same kind with `seal`, `form`, `previous`, `events`, `first_event_id`,
`last_event_id` and `sealed_at`. Each line ends with a newline. The digest is the sha256 of all lines.
"""

import datetime as dt
import hashlib
import json
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, Select, String, select, type_coerce

from db.core.schema import Agent, Event

FORM: Final = 1
FIRST_PREVIOUS: Final = "0" * 64
"""The previous digest in the first seal."""


def select_events() -> Select[*tuple[Any, ...]]:
    """Return the query for the events of `event_line` in order; enumerations are read as plain text."""
    return (
        select(
            Event.id,
            type_coerce(Event.type, String).label("type"),
            Event.at,
            type_coerce(Event.outcome, String).label("outcome"),
            Event.detail,
            Event.scan_id,
            Event.sighting_id,
            Event.job_id,
            Event.derivative_id,
            type_coerce(Agent.kind, String).label("agent_kind"),
            Agent.name.label("agent_name"),
            Agent.version.label("agent_version"),
        )
        .outerjoin(Agent, Agent.id == Event.agent_id)
        .order_by(Event.id)
    )


class SealDigest:
    """Computes the digest of a seal from its events, added in order of their ids."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.events = 0
        self.first_event_id = 0
        self.last_event_id = 0

    def add(self, event: Row[Any]) -> None:
        """Add one event, a row of `select_events`."""
        self._hash.update(event_line(event))
        self.events += 1
        self.first_event_id = self.first_event_id or event.id
        self.last_event_id = event.id

    def close(self, seal: int, form: int, previous: str, sealed_at: dt.datetime) -> str:
        """Return the hexadecimal digest of the events so far with these facts of the seal."""
        end = self._hash.copy()
        end.update(
            _line(
                {
                    "seal": seal,
                    "form": form,
                    "previous": previous,
                    "events": self.events,
                    "first_event_id": self.first_event_id,
                    "last_event_id": self.last_event_id,
                    "sealed_at": _timestamp(sealed_at),
                }
            )
        )
        return end.hexdigest()


def event_line(event: Row[Any]) -> bytes:
    """Return the canonical form of one event."""
    return _line(
        {
            "id": event.id,
            "type": event.type,
            "at": _timestamp(event.at),
            "outcome": event.outcome,
            "detail": _normalized(event.detail),
            "agent": {"kind": event.agent_kind, "name": event.agent_name, "version": event.agent_version},
            "scan_id": event.scan_id,
            "sighting_id": event.sighting_id,
            "job_id": event.job_id,
            "derivative_id": event.derivative_id,
        }
    )


def _line(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _timestamp(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _normalized(value: Any) -> Any:
    """Return a JSON value with its numbers in the same form on every database."""
    match value:
        case dict():
            return {key: _normalized(item) for key, item in value.items()}
        case list():
            return [_normalized(item) for item in value]
        case float() if value.is_integer():
            return int(Decimal(repr(value)))
        case _:
            return value
