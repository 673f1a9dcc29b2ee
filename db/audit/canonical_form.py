r"""How events and a seal are spelled out, byte for byte, so that anybody can compute their digest.

Form 1. An event is one line of ASCII: a JSON object with sorted keys, no blanks, what is beyond ASCII as
`\uXXXX`. It has each column of the row; the agent is spelled out, `at` is UTC with microseconds and `Z`, and
a whole number is written out in full without a point, since databases do not agree on that. After the lines
of a seal's events comes one more of the same kind with `seal`, `form`, `previous`, `events`,
`first_event_id`, `last_event_id` and `sealed_at`. Each line ends with a newline; the digest is their sha256.
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
"""What the first seal has for the digest of the one before."""


def select_events() -> Select[*tuple[Any, ...]]:
    """Return the query for all that `event_line` needs, in order; words are taken as they stand."""
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
    """The digest of a seal in the making: events go in one by one, in order of their ids."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.events = 0
        self.first_event_id = 0
        self.last_event_id = 0

    def add(self, event: Row[Any]) -> None:
        """Take in one event, a row of `select_events`."""
        self._hash.update(event_line(event))
        self.events += 1
        self.first_event_id = self.first_event_id or event.id
        self.last_event_id = event.id

    def close(self, seal: int, form: int, previous: str, sealed_at: dt.datetime) -> str:
        """Return the digest, in hexadecimal, of the events so far under these facts of the seal."""
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
                    "sealed_at": _moment(sealed_at),
                }
            )
        )
        return end.hexdigest()


def event_line(event: Row[Any]) -> bytes:
    """Return one event as it is sealed."""
    return _line(
        {
            "id": event.id,
            "type": event.type,
            "at": _moment(event.at),
            "outcome": event.outcome,
            "detail": _settled(event.detail),
            "agent": {"kind": event.agent_kind, "name": event.agent_name, "version": event.agent_version},
            "scan_id": event.scan_id,
            "sighting_id": event.sighting_id,
            "job_id": event.job_id,
            "derivative_id": event.derivative_id,
        }
    )


def _line(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def _moment(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _settled(value: Any) -> Any:
    """Return a value with its numbers spelled alike whatever database they come from."""
    match value:
        case dict():
            return {key: _settled(item) for key, item in value.items()}
        case list():
            return [_settled(item) for item in value]
        case float() if value.is_integer():
            return int(Decimal(repr(value)))
        case _:
            return value
