"""Sidecars: a derivative and all that its record needs, as a JSON object."""

import base64
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.core import schema
from db.core.schema import Derivative, Event, Job, Model, Recipe, Scan, Sighting

MOST_SIGHTINGS: Final = 1000
"""Maximum number of sightings in a sidecar; the next rescan finds the others again."""

MOST_EVENTS: Final = 200

SCAN: Final = (
    *("sha256", "bytes", "format", "width", "height", "bands", "bit_depth", "orientation", "icc_sha256"),
    *("dpi", "facts", "first_seen_at"),
)
SIGHTING: Final = (
    *("root", "path", "display", "collection", "size", "mtime_ns", "inode"),
    *("first_seen_at", "last_seen_at", "superseded_at", "gone_at"),
)
MODEL: Final = ("name", "weights_sha256", "card")
RECIPE: Final = ("fingerprint", "body", "created_at")
JOB: Final = (
    *("id", "lane", "attempts", "max_attempts", "requested_by"),
    *("created_at", "queued_at", "started_at", "finished_at"),
)
DERIVATIVE: Final = (
    *("root", "path", "display", "format", "width", "height", "bit_depth", "bytes", "sha256", "pixel_sha256"),
    *("luma_max_error", "luma_mean_error", "engine", "software", "weights_sha256", "seconds", "facts"),
    "created_at",
)
"""The columns of each table in a sidecar."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The rows of one derivative as columns and values, without the ids of its record.

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
    """Return the sidecar of a job's derivative as a JSON object, which `read_sidecar` reads.

    Raises LookupError if the job has no derivative.
    """
    row = s.execute(
        select(Job, Derivative, Scan, Recipe, Model)
        .join(Derivative, Derivative.job_id == Job.id)
        .join(Scan, Scan.id == Job.scan_id)
        .join(Recipe, Recipe.id == Job.recipe_id)
        .join(Model, Model.id == Recipe.model_id)
        .where(Job.id == job_id)
        .execution_options(populate_existing=True)  # statements change rows without the session
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
        "scan": _columns_of(scan, SCAN),
        "sightings": [_columns_of(sighting, SIGHTING) for sighting in sightings],
        "model": _columns_of(model, MODEL),
        "recipe": _columns_of(recipe, RECIPE),
        "job": _columns_of(job, JOB),
        "derivative": _columns_of(derivative, DERIVATIVE),
        "events": _events(s, scan.id),
    }


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


def _columns_of(row: Any, names: Sequence[str]) -> dict[str, Any]:
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
