"""What a sidecar tells of a derivative: all that is needed to enter it into an empty record again."""

import base64
import binascii
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Enum, Float, Integer, LargeBinary, String, Table, select
from sqlalchemy.orm import Session

from db.core import schema
from db.core.columns import FileTime, FiniteFloat, Inode, JsonObject, UtcDateTime
from db.core.schema import Derivative, Event, Job, Model, Recipe, Scan, Sighting
from db.errors import BrokenSidecar

MOST_SIGHTINGS: Final = 1000
"""Of a content that lies at more places, the rest is found again by the next rescan."""

MOST_EVENTS: Final = 200

ROOTS: Final = {"derivative": "outbox", "sighting": "inbox"}
"""The only roots that there are, by what lies there."""

EARLIEST: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
LATEST: Final = dt.datetime(3000, 1, 1, tzinfo=dt.UTC)
"""Between these lies every time that a record ever told, whatever the clock of its host showed."""

_LONGEST_TEXT: Final = 10_000
_LONGEST_PATH: Final = 4095
_LONGEST_DETAIL: Final = 4000
_LONGEST_EVENT_WORD: Final = 200
_SIGNED: Final = frozenset({"mtime_ns"})
"""Whole numbers that may be below zero: a file may be older than 1970."""

_SCAN = (
    *("sha256", "bytes", "format", "width", "height", "bands", "bit_depth", "orientation", "icc_sha256"),
    *("dpi", "facts", "first_seen_at"),
)
_SIGHTING = (
    *("root", "path", "display", "collection", "size", "mtime_ns", "inode"),
    *("first_seen_at", "last_seen_at", "superseded_at", "gone_at"),
)
_MODEL = ("name", "weights_sha256", "card")
_RECIPE = ("fingerprint", "body", "created_at")
_JOB = (
    *("id", "lane", "attempts", "max_attempts", "requested_by"),
    *("created_at", "queued_at", "started_at", "finished_at"),
)
_DERIVATIVE = (
    *("root", "path", "display", "format", "width", "height", "bit_depth", "bytes", "sha256", "pixel_sha256"),
    *("luma_max_error", "luma_mean_error", "engine", "software", "weights_sha256", "seconds", "facts"),
    "created_at",
)
_DIGEST: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The rows of one derivative as columns and values, without the numbers that only its record knew.

    `events` are those of the scan until the derivative was made, oldest first, as plain JSON.
    """

    scan: Mapping[str, Any]
    sightings: Sequence[Mapping[str, Any]]
    model: Mapping[str, Any]
    recipe: Mapping[str, Any]
    job: Mapping[str, Any]
    derivative: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]


def sidecar_object(s: Session, job_id: int) -> dict[str, Any]:
    """Return the sidecar of a job's derivative as a JSON object; `read_sidecar` takes it back.

    Raises LookupError if the job has no derivative.
    """
    row = s.execute(
        select(Job, Derivative, Scan, Recipe, Model)
        .join(Derivative, Derivative.job_id == Job.id)
        .join(Scan, Scan.id == Job.scan_id)
        .join(Recipe, Recipe.id == Job.recipe_id)
        .join(Model, Model.id == Recipe.model_id)
        .where(Job.id == job_id)
        .execution_options(populate_existing=True)  # rows are changed by statements, past the session
    ).one_or_none()
    if row is None:
        raise LookupError(f"job {job_id} has no derivative")
    job, derivative, scan, recipe, model = row
    sightings = s.scalars(
        select(Sighting)
        .where(Sighting.scan_id == scan.id)
        .order_by(Sighting.superseded_at.is_not(None), Sighting.id)
        .limit(MOST_SIGHTINGS)
        .execution_options(populate_existing=True)
    ).all()
    return {
        "scan": _told(scan, _SCAN),
        "sightings": [_told(sighting, _SIGHTING) for sighting in sightings],
        "model": _told(model, _MODEL),
        "recipe": _told(recipe, _RECIPE),
        "job": _told(job, _JOB),
        "derivative": _told(derivative, _DERIVATIVE),
        "events": _events(s, scan.id),
    }


def read_sidecar(told: Any) -> Sidecar:
    """Return what `sidecar_object` told, every value checked against its column.

    Raises `BrokenSidecar` for anything that no record could have told.
    """
    if not isinstance(told, Mapping):
        raise _broken("it is no JSON object")
    sightings = _list(told, "sightings")
    sidecar = Sidecar(
        scan=_row(schema.Scan, _SCAN, told.get("scan"), "scan"),
        sightings=tuple(
            _row(schema.Sighting, _SIGHTING, one, "sighting") for one in sightings[:MOST_SIGHTINGS]
        ),
        model=_row(schema.Model, _MODEL, told.get("model"), "model"),
        recipe=_row(schema.Recipe, _RECIPE, told.get("recipe"), "recipe"),
        job=_row(schema.Job, _JOB, told.get("job"), "job"),
        derivative=_row(schema.Derivative, _DERIVATIVE, told.get("derivative"), "derivative"),
        events=tuple(_event(one) for one in _list(told, "events")[-MOST_EVENTS:] if isinstance(one, Mapping)),
    )
    _require_sense(sidecar)
    return sidecar


def _events(s: Session, scan_id: int) -> list[dict[str, Any]]:
    rows = s.execute(
        select(Event.id, Event.at, Event.type, Event.outcome, Event.detail, schema.Agent.name)
        .join(schema.Agent, schema.Agent.id == Event.agent_id)
        .where(Event.scan_id == scan_id)
        .order_by(Event.id.desc())
        .limit(MOST_EVENTS)
    ).all()
    return [
        {
            "id": row.id,
            "at": row.at.isoformat(),
            "type": str(row.type),
            "outcome": str(row.outcome),
            "agent": row.name,
            "detail": row.detail,
        }
        for row in reversed(rows)
    ]


def _told(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    match value:
        case dt.datetime():
            return value.isoformat()
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return {"base64": base64.b64encode(value).decode()}
        case _:
            return value


def _row(table: type[schema.Base], names: Sequence[str], told: Any, what: str) -> dict[str, Any]:
    if not isinstance(told, Mapping):
        raise _broken(f"it lacks the {what}")
    columns: Table = table.__table__  # type: ignore[assignment]
    values = {}
    for name in names:
        try:
            values[name] = _value(columns.c[name], told[name])
        except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
            raise _broken(f"{what}.{name} cannot be read ({error or type(error).__name__})") from error
    return values


def _value(column: Column[Any], told: Any) -> Any:
    if told is None:
        if column.nullable:
            return None
        raise ValueError("it is empty")
    if isinstance(column.type, Enum):
        return (column.type.enum_class or str)(_of(str, told))
    if isinstance(column.type, String) and column.type.length == 64:
        return _digest(told)
    if isinstance(column.type, Integer | Inode | FileTime):
        return _integer(told, column)
    return next(read for kind, read in _READERS if isinstance(column.type, kind))(told)


def _moment(told: Any) -> dt.datetime:
    moment = dt.datetime.fromisoformat(_of(str, told))
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    moment = moment.astimezone(dt.UTC)
    if not EARLIEST <= moment < LATEST:
        raise ValueError("a time that no clock shows")
    return moment


def _bytes(told: Any) -> bytes:
    if isinstance(told, dict):
        raw = base64.b64decode(_of(str, told["base64"]), validate=True)
    else:
        raw = _of(str, told).encode()
    if len(raw) > _LONGEST_PATH:
        raise ValueError("longer than any path")
    return bytes(raw)


def _integer(told: Any, column: Column[Any]) -> int:
    """Return a whole number that the column holds on either database."""
    large = isinstance(column.type, BigInteger | FileTime)
    bits = 64 if isinstance(column.type, Inode) else 63 if large else 31
    least = -(2**63) if column.name in _SIGNED else 0
    if isinstance(told, bool) or not least <= _of(int, told) < 2**bits:
        raise ValueError("no number that fits")
    return int(told)


def _float(told: Any) -> float:
    if isinstance(told, bool):
        raise TypeError("no number")
    number = float(_of((int, float), told))
    if not math.isfinite(number):
        raise ValueError("no finite number")
    return number


def _text(told: Any) -> str:
    if len(_of(str, told)) > _LONGEST_TEXT:
        raise ValueError("longer than any text on record")
    return str(told)


def _event(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event tells in short; nothing but people reads it again."""
    brief: dict[str, Any] = {}
    for name in ("id", "at", "type", "outcome", "agent"):
        value = told.get(name)
        whole = isinstance(value, int) and abs(value) < 2**63
        brief[name] = value if value is None or whole else str(value)[:_LONGEST_EVENT_WORD]
    detail = told.get("detail")
    size = len(json.dumps(detail, ensure_ascii=True, default=str))
    short = isinstance(detail, Mapping) and size <= _LONGEST_DETAIL
    return brief | {"detail": detail if short else {"left out": f"{size:,} characters"}}


def _digest(told: Any) -> str:
    if not _DIGEST.fullmatch(_of(str, told)):
        raise ValueError("no sha256")
    return str(told)


_READERS: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (UtcDateTime, _moment),
    (JsonObject, lambda told: _of(dict, told)),
    (LargeBinary, _bytes),
    ((Float, FiniteFloat), _float),
    (object, _text),
)
"""How a value is read from JSON, by the type of its column; the first that fits."""


def _of(kind: Any, told: Any) -> Any:
    if not isinstance(told, kind):
        raise TypeError(f"{type(told).__name__} is of the wrong kind")
    return told


def _require_sense(sidecar: Sidecar) -> None:
    """Refuse what fits the columns one by one, but not each other; a path must stay within its root."""
    job = sidecar.job
    if job["started_at"] is None or job["finished_at"] is None:
        raise _broken("its job was not done")
    if not 0 <= job["attempts"] <= job["max_attempts"]:
        raise _broken("its job has more attempts than it may")
    measures = ("luma_max_error", "luma_mean_error", "seconds")
    if any(sidecar.derivative[name] < 0 for name in measures):
        raise _broken("it tells an error or a time below zero")
    if any(sidecar.derivative[name] < 1 for name in ("width", "height", "bit_depth", "bytes")):
        raise _broken("it tells of a picture without pixels")
    if sidecar.derivative["root"] != ROOTS["derivative"]:
        raise _broken(f"it names a root {sidecar.derivative['root']!r} for its derivative")
    if (unknown := {row["root"] for row in sidecar.sightings} - {ROOTS["sighting"]}) != set():
        raise _broken(f"it names a root {min(unknown)!r} for masters")
    if sidecar.derivative["weights_sha256"] != sidecar.model["weights_sha256"]:
        raise _broken("derivative and model name different weights")
    for path in (sidecar.derivative["path"], *(sighting["path"] for sighting in sidecar.sightings)):
        if b"\0" in path or any(part in {b"", b".", b".."} for part in path.split(b"/")):
            raise _broken("it names a path that leads out of its folder")


def _list(told: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = told.get(name)
    if not isinstance(found, list):
        raise _broken(f"it lacks the {name}")
    return found


def _broken(reason: str) -> BrokenSidecar:
    return BrokenSidecar(
        reason, "restore it from a backup, or write it anew from the record: saek recover sidecars"
    )
