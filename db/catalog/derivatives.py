"""Entering a new derivative with its events."""

import datetime as dt
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.catalog.links import name_owner
from db.catalog.names_due import mark_names_due
from db.core import events
from db.core.events import NewEvent
from db.core.schema import Derivative, Model, Recipe, Sighting
from db.core.upsert import insert_or_ignore
from db.errors import DerivativeExists
from db.values import SAEK, AgentName, NewDerivative
from db.vocabulary import AgentKind, EventType, Outcome


def enter_derivative(
    s: Session,
    record: NewDerivative,
    *,
    job_id: int,
    scan_id: int,
    recipe_id: int,
    fingerprint: str,
    now: dt.datetime,
) -> int:
    """Enter a derivative with its events; return its id. Raises `DerivativeExists` if its path is taken."""
    facts = {
        "job_id": job_id,
        "scan_id": scan_id,
        "recipe_id": recipe_id,
        "root": record.root,
        "path": record.path,
        "path_sha256": sha256(record.path).digest(),
        "display": record.display,
        "format": record.format,
        "width": record.width,
        "height": record.height,
        "bit_depth": record.bit_depth,
        "bytes": record.bytes,
        "sha256": record.sha256,
        "pixel_sha256": record.pixel_sha256,
        "luma_max_error": record.luma_max_error,
        "luma_mean_error": record.luma_mean_error,
        "engine": record.engine,
        "software": record.software,
        "weights_sha256": record.weights_sha256,
        "seconds": record.seconds,
        "facts": dict(record.facts),
        "created_at": now,
    }
    derivative_id = None
    if name_owner(s, record.root, record.path) is None:
        derivative_id = insert_or_ignore(s, Derivative, facts, ("root", "path_sha256"))
    if derivative_id is None:
        raise DerivativeExists(
            reason=f"{record.root}/{record.display} is the name of another derivative on record",
            remedy="write each derivative under a name of its own",
        )
    name, weights = s.execute(
        select(Model.name, Model.weights_sha256)
        .join(Recipe, Recipe.model_id == Model.id)
        .where(Recipe.id == recipe_id)
    ).one()

    creation = {"fingerprint": fingerprint, "engine": record.engine, "software": record.software}
    digests = {"sha256": record.sha256, "pixel_sha256": record.pixel_sha256}
    luma = {"luma_max_error": record.luma_max_error, "luma_mean_error": record.luma_mean_error}
    exact = Outcome.SUCCESS if record.luma_max_error == 0 else Outcome.WARNING
    new: tuple[tuple[EventType, Mapping[str, Any], Outcome, AgentName], ...] = (
        (EventType.CREATION, creation, Outcome.SUCCESS, AgentName(AgentKind.MODEL, name, weights)),
        (EventType.MESSAGE_DIGEST_CALCULATION, digests, Outcome.SUCCESS, SAEK),
        (EventType.VALIDATION, luma, exact, SAEK),
    )
    events.append(
        s,
        [
            NewEvent(
                kind, detail, outcome, agent, scan_id=scan_id, job_id=job_id, derivative_id=derivative_id
            )
            for kind, detail, outcome, agent in new
        ],
        at=now,
    )
    if len(s.scalars(select(Sighting.id).where(Sighting.scan_id == scan_id).limit(2)).all()) > 1:
        mark_names_due(s, [scan_id], now)
    return derivative_id
