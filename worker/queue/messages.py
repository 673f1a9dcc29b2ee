"""Message validation: a message carries the id of one job and nothing else.

Anyone who can write to the broker can write anything, and Celery acts on headers: it calls other tasks, sends
further messages, holds a message for years, or kills the process that works on it. So each message is read
here before Celery sees it. If the relay could have sent it, its job id is put into a new envelope; otherwise
it is rejected.
"""

import base64
import binascii
import json
import re
import uuid
from typing import Any

TASK = "saek.restore"

MAX_MESSAGE_BYTES = 8192
"""The relay's own messages have an eighth of that."""
MAX_JOB_ID = 2**63 - 1

_ID = re.compile(r"([1-9][0-9]{0,18})\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_NO_CALLBACKS: dict[str, Any] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}

_INERT: dict[str, Any] = {
    "lang": "py",
    "shadow": None,
    "eta": None,
    "expires": None,
    "group": None,
    "group_index": None,
    "retries": 0,
    "timelimit": [None, None],
    "parent_id": None,
    "replaced_task_nesting": 0,
    "stamped_headers": None,
    "stamps": {},
}
"""Headers that Celery acts on, with the values that have no effect."""

_UNUSED = frozenset(
    {"argsrepr", "id", "ignore_result", "kwargsrepr", "origin", "redelivered", "root_id", "task"}
)
"""Headers that are checked separately, or that nothing reads."""


class InvalidMessage(ValueError):
    """The relay does not send such a message; the text says why, without quoting its content."""


def message_id(job_id: int) -> str:
    """Return a new id for a message about a job."""
    return f"{job_id}.{uuid.uuid4()}"


def read_message_id(raw: bytes) -> str:
    """Return the id of a message that the relay could have sent. Raises InvalidMessage."""
    if len(raw) > MAX_MESSAGE_BYTES:
        raise InvalidMessage(
            f"it has {len(raw):,} bytes, and the relay's have less than {MAX_MESSAGE_BYTES:,}"
        )
    message = _object(raw, "it")
    headers, properties = message.get("headers"), message.get("properties")
    if not isinstance(headers, dict) or not isinstance(properties, dict):
        raise InvalidMessage("it has no headers or no properties")
    if headers.get("task") != TASK:
        raise InvalidMessage("it asks for another task")
    found = headers.get("id")
    named = _ID.fullmatch(found) if isinstance(found, str) else None
    if named is None or not isinstance(found, str):
        raise InvalidMessage("its id is not one that the relay gives")
    if unknown := headers.keys() - _INERT.keys() - _UNUSED:
        raise InvalidMessage(f"it has {len(unknown)} headers that the relay does not send")
    for name, value in _INERT.items():
        if not _same(headers.get(name, value), value):
            raise InvalidMessage(f"its header {name} would have an effect")
    if headers.get("root_id", found) != found:
        raise InvalidMessage("its root_id is not its id")
    _require_body(message, properties, int(named[1]))
    return found


def read_job_id(raw: bytes) -> int:
    """Return the job id of a message. Raises InvalidMessage."""
    return int(read_message_id(raw).partition(".")[0])


def message_envelope(identity: str, lane: str) -> bytes:
    """Return the message with that id for Celery's worker, made without anything from the received one."""
    job = int(identity.partition(".")[0])
    body = json.dumps([[job], {}, _NO_CALLBACKS]).encode()
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-type": "application/json",
            "content-encoding": "utf-8",
            "headers": {**_INERT, "task": TASK, "id": identity, "root_id": identity},
            "properties": {
                "correlation_id": identity,
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": lane},
                "delivery_tag": str(uuid.uuid4()),
                "priority": 0,
                "body_encoding": "base64",
            },
        }
    ).encode()


def _require_body(message: dict[str, Any], properties: dict[str, Any], job: int) -> None:
    kind = message.get("content-type"), message.get("content-encoding"), properties.get("body_encoding")
    if kind != ("application/json", "utf-8", "base64"):
        raise InvalidMessage("its body is not JSON in base64")
    body = message.get("body")
    if not isinstance(body, str):
        raise InvalidMessage("it has no body")
    try:
        content = _json(base64.b64decode(body, validate=True), "its body")
    except (binascii.Error, ValueError) as error:
        raise InvalidMessage("its body is not JSON in base64") from error
    if job > MAX_JOB_ID or not _same(content, [[job], {}, _NO_CALLBACKS]):
        raise InvalidMessage("its body holds more than the job id")


def _object(raw: bytes, what: str) -> dict[str, Any]:
    found = _json(raw, what)
    if not isinstance(found, dict):
        raise InvalidMessage(f"{what} is not a JSON object")
    return found


def _json(raw: bytes, what: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidMessage(f"{what} is not valid JSON") from error


def _same(one: object, other: object) -> bool:
    """Return whether both are equal, types included: in Python, True equals 1 and 1.0."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
