"""Reading sidecars: every value is checked against its column, since a sidecar may be damaged or forged."""

import base64
import binascii
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Enum, Float, Integer, LargeBinary, String, Table

from db.catalog.sidecars import (
    DERIVATIVE,
    JOB,
    MODEL,
    MOST_EVENTS,
    MOST_SIGHTINGS,
    RECIPE,
    SCAN,
    SIGHTING,
    Sidecar,
)
from db.core import schema
from db.core.columns import FileTime, FiniteFloat, Inode, JsonObject, UtcDateTime
from db.errors import BrokenSidecar

_ROOTS: Final = {"derivative": "outbox", "sighting": "inbox"}
"""The roots of derivatives and of masters."""

_EARLIEST: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LATEST: Final = dt.datetime(3000, 1, 1, tzinfo=dt.UTC)
"""Range of the times in any valid record, whatever the clock of its host."""

_LONGEST_TEXT: Final = 10_000
_LONGEST_PATH: Final = 4095
_LONGEST_DETAIL: Final = 4000
_LONGEST_EVENT_WORD: Final = 200
_SIGNED: Final = frozenset({"mtime_ns"})
"""Integers that may be negative: files may be older than 1970."""
_DIGEST: Final = re.compile("[0-9a-f]{64}")


def read_sidecar(value: Any) -> Sidecar:
    """Return the sidecar in a JSON value, with every value checked against its column.

    Raises `BrokenSidecar` for anything that no record could have written.
    """
    if not isinstance(value, Mapping):
        raise _broken("it is not a JSON object")
    sightings = _list(value, "sightings")
    sidecar = Sidecar(
        scan=_row(schema.Scan, SCAN, value.get("scan"), "scan"),
        sightings=tuple(
            _row(schema.Sighting, SIGHTING, one, "sighting") for one in sightings[:MOST_SIGHTINGS]
        ),
        model=_row(schema.Model, MODEL, value.get("model"), "model"),
        recipe=_row(schema.Recipe, RECIPE, value.get("recipe"), "recipe"),
        job=_row(schema.Job, JOB, value.get("job"), "job"),
        derivative=_row(schema.Derivative, DERIVATIVE, value.get("derivative"), "derivative"),
        events=tuple(
            _event(one) for one in _list(value, "events")[-MOST_EVENTS:] if isinstance(one, Mapping)
        ),
    )
    _require_consistent(sidecar)
    return sidecar


def _row(table: type[schema.Base], names: Sequence[str], value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _broken(f"{what} is missing")
    columns: Table = table.__table__  # type: ignore[assignment]
    values = {}
    for name in names:
        try:
            values[name] = _value(columns.c[name], value[name])
        except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
            raise _broken(f"{what}.{name} cannot be read ({error or type(error).__name__})") from error
    return values


def _value(column: Column[Any], value: Any) -> Any:
    if value is None:
        if column.nullable:
            return None
        raise ValueError("null is not allowed")
    if isinstance(column.type, Enum):
        return (column.type.enum_class or str)(_typed(str, value))
    if isinstance(column.type, String) and column.type.length == 64:
        return _digest(value)
    if isinstance(column.type, Integer | Inode | FileTime):
        return _integer(value, column)
    return next(read for kind, read in _READERS if isinstance(column.type, kind))(value)


def _time(value: Any) -> dt.datetime:
    moment = dt.datetime.fromisoformat(_typed(str, value))
    if moment.tzinfo is None:
        raise ValueError("time without a time zone")
    moment = moment.astimezone(dt.UTC)
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("time out of range")
    return moment


def _bytes(value: Any) -> bytes:
    if isinstance(value, dict):
        raw = base64.b64decode(_typed(str, value["base64"]), validate=True)
    else:
        raw = _typed(str, value).encode()
    if len(raw) > _LONGEST_PATH:
        raise ValueError("path too long")
    return bytes(raw)


def _integer(value: Any, column: Column[Any]) -> int:
    """Return an integer that fits the column on both databases."""
    large = isinstance(column.type, BigInteger | FileTime)
    bits = 64 if isinstance(column.type, Inode) else 63 if large else 31
    least = -(2**63) if column.name in _SIGNED else 0
    if isinstance(value, bool) or not least <= _typed(int, value) < 2**bits:
        raise ValueError("number out of range")
    return int(value)


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError("not a number")
    number = float(_typed((int, float), value))
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _text(value: Any) -> str:
    if len(_typed(str, value)) > _LONGEST_TEXT:
        raise ValueError("text too long")
    return str(value)


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a shortened event; only people read it again."""
    brief: dict[str, Any] = {}
    for name in ("id", "at", "type", "outcome", "agent"):
        value = event.get(name)
        integer = isinstance(value, int) and abs(value) < 2**63
        brief[name] = value if value is None or integer else str(value)[:_LONGEST_EVENT_WORD]
    detail = event.get("detail")
    size = len(json.dumps(detail, ensure_ascii=True, default=str))
    short = isinstance(detail, Mapping) and size <= _LONGEST_DETAIL
    return brief | {"detail": detail if short else {"left out": f"{size:,} characters"}}


def _digest(value: Any) -> str:
    if not _DIGEST.fullmatch(_typed(str, value)):
        raise ValueError("not a sha256")
    return str(value)


_READERS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (UtcDateTime, _time),
    (JsonObject, lambda value: _typed(dict, value)),
    (LargeBinary, _bytes),
    ((Float, FiniteFloat), _float),
    (object, _text),
)
"""Readers of JSON values by column type; the first match is used."""


def _typed(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"unexpected type {type(value).__name__}")
    return value


def _require_consistent(sidecar: Sidecar) -> None:
    """Reject values that fit their columns but contradict each other, and paths that leave their root."""
    job = sidecar.job
    if job["started_at"] is None or job["finished_at"] is None:
        raise _broken("its job is not done")
    if not 0 <= job["attempts"] <= job["max_attempts"]:
        raise _broken("its job has too many attempts")
    measures = ("luma_max_error", "luma_mean_error", "seconds")
    if any(sidecar.derivative[name] < 0 for name in measures):
        raise _broken("an error or a duration is negative")
    if any(sidecar.derivative[name] < 1 for name in ("width", "height", "bit_depth", "bytes")):
        raise _broken("the size of the picture is zero")
    if sidecar.derivative["root"] != _ROOTS["derivative"]:
        raise _broken(f"unknown root {sidecar.derivative['root']!r} of its derivative")
    if (unknown := {row["root"] for row in sidecar.sightings} - {_ROOTS["sighting"]}) != set():
        raise _broken(f"unknown root {min(unknown)!r} of masters")
    if sidecar.derivative["weights_sha256"] != sidecar.model["weights_sha256"]:
        raise _broken("derivative and model have different weights")
    for path in (sidecar.derivative["path"], *(sighting["path"] for sighting in sidecar.sightings)):
        if b"\0" in path or any(part in {b"", b".", b".."} for part in path.split(b"/")):
            raise _broken("a path leaves its root")


def _list(value: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = value.get(name)
    if not isinstance(found, list):
        raise _broken(f"{name} are missing")
    return found


def _broken(reason: str) -> BrokenSidecar:
    return BrokenSidecar(
        reason=reason,
        remedy="restore it from a backup, or run `saek recover sidecars` to write it from the record",
    )
