"""The history of one scan: its sightings, jobs, derivatives and events."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import ColumnElement, Row, select
from sqlalchemy.orm import Session

from db.catalog.derivation import source_scan
from db.catalog.file_states import file_state, over_live_files
from db.catalog.links import DerivativeName, links_of
from db.core import schema
from db.core.schema import Derivative, Event, Job, Model, Recipe, Scan, Sighting
from db.reports.selectors import find_selected
from db.values import AgentName, Problem
from db.vocabulary import EventType, FileState, Finding, JobState, Lane, Outcome


@dataclass(frozen=True, slots=True)
class ScanEntry:
    """The scan as identified."""

    id: int
    sha256: str
    bytes: int
    format: str | None
    width: int | None
    height: int | None
    bands: int | None
    bit_depth: int | None
    orientation: int | None
    icc_sha256: str | None
    dpi: float | None
    facts: Mapping[str, Any]
    first_seen_at: dt.datetime
    problem: Problem | None
    quarantined_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class SightingEntry:
    """A sighting of the scan; `state` is None once other content superseded it."""

    id: int
    root: str
    path: bytes
    display: str
    collection: str
    state: FileState | None
    first_seen_at: dt.datetime
    last_seen_at: dt.datetime
    superseded_at: dt.datetime | None
    gone_at: dt.datetime | None
    problem: Problem | None
    fixity: Finding | None
    fixity_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class JobEntry:
    """A job of the scan with its recipe."""

    id: int
    state: JobState
    lane: Lane
    attempts: int
    max_attempts: int
    requested_by: str
    created_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    not_before: dt.datetime | None
    wait_reason: str | None
    owner: str | None
    stage: str | None
    done: int
    total: int
    problem: Problem | None
    fingerprint: str
    recipe: Mapping[str, Any]
    model: str
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class DerivativeEntry:
    """A derivative of the scan; `links` are its further names."""

    id: int
    job_id: int
    root: str
    path: bytes
    display: str
    format: str
    width: int
    height: int
    bit_depth: int
    bytes: int
    sha256: str
    pixel_sha256: str
    luma_max_error: float
    luma_mean_error: float
    engine: str
    software: str
    weights_sha256: str
    seconds: float
    facts: Mapping[str, Any]
    created_at: dt.datetime
    fixity: Finding | None
    fixity_at: dt.datetime | None
    links: tuple[DerivativeName, ...]


@dataclass(frozen=True, slots=True)
class EventEntry:
    """An event that concerns the scan."""

    id: int
    at: dt.datetime
    type: EventType
    outcome: Outcome
    agent: AgentName
    detail: Mapping[str, Any]
    sighting_id: int | None
    job_id: int | None
    derivative_id: int | None


@dataclass(frozen=True, slots=True)
class ScanHistory:
    """All that is on record of one scan; `scan` is None for a file that could not be hashed."""

    scan: ScanEntry | None
    sightings: tuple[SightingEntry, ...]
    jobs: tuple[JobEntry, ...]
    derivatives: tuple[DerivativeEntry, ...]
    events: tuple[EventEntry, ...]


def scan_history(s: Session, selector: str | bytes) -> ScanHistory | None:
    """Return the history of the scan that `selector` identifies, None without a match.

    `selector` is as for `find_selected`. Raises `AmbiguousSelector`.
    """
    found = find_selected(s, selector)
    return None if found is None else _history(s, *found)


def derivative_history(s: Session, path: bytes) -> ScanHistory | None:
    """Return the history of the scan from which the file at this path of the outbox was made.

    The path may be that of the derivative or of its sidecar, or only the name of either: it contains digests
    of scan and recipe, so it is found wherever the file was moved to. None without a match.
    """
    scan_id = source_scan(s, path)
    return None if scan_id is None else _history(s, scan_id, None)


def _history(s: Session, scan_id: int | None, sighting_id: int | None) -> ScanHistory:
    if scan_id is None:
        events = _events(s, Event.sighting_id == sighting_id)
        return ScanHistory(None, _sightings(s, Sighting.id == sighting_id), (), (), events)
    scan = s.execute(select(schema.Scan.__table__).where(Scan.id == scan_id)).one()
    return ScanHistory(
        scan=ScanEntry(**_columns(ScanEntry, scan), problem=_problem(scan, "problem")),
        sightings=_sightings(s, Sighting.scan_id == scan_id),
        jobs=_jobs(s, scan_id),
        derivatives=_derivatives(s, scan_id),
        events=_events(s, Event.scan_id == scan_id),
    )


def _sightings(s: Session, condition: ColumnElement[bool]) -> tuple[SightingEntry, ...]:
    live = s.execute(over_live_files(select(Sighting.id, file_state().label("state"))).where(condition))
    states = {row.id: FileState(row.state) for row in live}
    rows = s.execute(select(schema.Sighting.__table__).where(condition).order_by(Sighting.id))
    return tuple(
        SightingEntry(
            **_columns(SightingEntry, row), state=states.get(row.id), problem=_problem(row, "problem")
        )
        for row in rows
    )


def _jobs(s: Session, scan_id: int) -> tuple[JobEntry, ...]:
    rows = s.execute(
        select(
            schema.Job.__table__,
            Job.lease_owner.label("owner"),
            Job.progress_stage.label("stage"),
            Job.progress_done.label("done"),
            Job.progress_total.label("total"),
            Recipe.fingerprint,
            Recipe.body.label("recipe"),
            Model.name.label("model"),
            Model.weights_sha256,
        )
        .join(Recipe, Recipe.id == Job.recipe_id)
        .join(Model, Model.id == Recipe.model_id)
        .where(Job.scan_id == scan_id)
        .order_by(Job.id)
    )
    return tuple(JobEntry(**_columns(JobEntry, row), problem=_problem(row, "failure")) for row in rows)


def _derivatives(s: Session, scan_id: int) -> tuple[DerivativeEntry, ...]:
    rows = s.execute(
        select(schema.Derivative.__table__).where(Derivative.scan_id == scan_id).order_by(Derivative.id)
    ).all()
    links = links_of(s, [row.id for row in rows])
    return tuple(
        DerivativeEntry(**_columns(DerivativeEntry, row), links=tuple(links.get(row.id, ()))) for row in rows
    )


def _events(s: Session, condition: ColumnElement[bool]) -> tuple[EventEntry, ...]:
    rows = s.execute(
        select(
            schema.Event.__table__,
            schema.Agent.kind.label("agent_kind"),
            schema.Agent.name.label("agent_name"),
            schema.Agent.version.label("agent_version"),
        )
        .join(schema.Agent, schema.Agent.id == Event.agent_id)
        .where(condition)
        .order_by(Event.id)
    )
    return tuple(
        EventEntry(
            **_columns(EventEntry, row), agent=AgentName(row.agent_kind, row.agent_name, row.agent_version)
        )
        for row in rows
    )


def _columns(entry: type[Any], row: Row[Any]) -> dict[str, Any]:
    """Return the columns of a row that are fields of an entry."""
    names = {field.name for field in fields(entry)}
    return {name: value for name, value in row._mapping.items() if name in names}


def _problem(row: Row[Any], stem: str) -> Problem | None:
    code, reason, remedy = (row._mapping[f"{stem}_{part}"] for part in ("code", "reason", "remedy"))
    return None if code is None else Problem(code, reason, remedy)
