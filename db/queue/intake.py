"""Intake: a file becomes a scan, a sighting and a job."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.catalog.names_due import mark_names_due
from db.catalog.quarantine import lock_scan, quarantine_scan, release_scan
from db.catalog.sightings import (
    problem_values,
    update_sighting,
)
from db.core import events
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Job, Scan, Sighting
from db.core.transitions import move
from db.core.upsert import insert_or_ignore
from db.queue.enqueue import enqueue
from db.values import MASTER_CHANGED, MISSING_FILE, SAEK, AgentName, NewScan, NewSighting, Problem
from db.vocabulary import EventType, JobState, Lane, Outcome


@dataclass(frozen=True, slots=True)
class Registered:
    """The rows of a file, and which of them are new."""

    scan_id: int
    sighting_id: int
    job_id: int | None
    new_scan: bool
    new_sighting: bool
    new_job: bool


def register(
    s: Session,
    seen: NewSighting,
    record: NewScan,
    recipe_id: int | None,
    lane: Lane = Lane.INTERACTIVE,
    *,
    agent: AgentName = SAEK,
    requested_by: str = "inbox",
    now: dt.datetime | None = None,
) -> Registered:
    """Enter a file, its content, and a job unless `recipe_id` is None or the scan is quarantined.

    The same bytes at another path are a further sighting of the same scan; other bytes at a known path are a
    new sighting. Jobs that ended because the file was gone or replaced are queued again when its bytes are
    back. `job_id` is the job of the scan and the recipe, if there is one.
    """
    now = now or current_time(s)
    scan_id, sighting_id, new_scan, new_sighting = _enter(s, seen, record, agent, now)
    if not new_scan:
        release_scan(s, scan_id, "the file is back", agent, codes=(MISSING_FILE,), now=now)
        _requeue_missed(s, scan_id, agent, now)
    if recipe_id is None:
        return Registered(scan_id, sighting_id, None, new_scan, new_sighting, new_job=False)
    if not new_scan and s.scalar(select(Scan.problem_code).where(Scan.id == scan_id)) is not None:
        job_id = s.scalar(select(Job.id).where(Job.scan_id == scan_id, Job.recipe_id == recipe_id))
        return Registered(scan_id, sighting_id, job_id, new_scan, new_sighting, new_job=False)
    job_id, new_job = enqueue(s, scan_id, recipe_id, lane, requested_by, agent=agent, now=now)
    return Registered(scan_id, sighting_id, job_id, new_scan, new_sighting, new_job)


def register_quarantined(
    s: Session,
    seen: NewSighting,
    record: NewScan,
    problem: Problem,
    agent: AgentName = SAEK,
    *,
    now: dt.datetime | None = None,
) -> Registered:
    """Enter a file with a digest whose content cannot be processed, and quarantine its scan.

    A scan with a derivative is not quarantined.
    """
    now = now or current_time(s)
    scan_id, sighting_id, new_scan, new_sighting = _enter(s, seen, record, agent, now)
    release_scan(s, scan_id, "the file is back", agent, codes=(MISSING_FILE,), now=now)
    quarantine_scan(s, scan_id, problem, agent, now=now)
    return Registered(scan_id, sighting_id, None, new_scan, new_sighting, new_job=False)


def quarantine_sighting(
    s: Session,
    seen: NewSighting,
    problem: Problem,
    agent: AgentName = SAEK,
    *,
    now: dt.datetime | None = None,
) -> tuple[int, bool]:
    """Enter a file that could not be hashed; return its sighting and whether the problem is new.

    The same problem again writes no event.
    """
    now = now or current_time(s)
    sighting_id, new = update_sighting(s, seen, None, problem, agent, now=now)
    if not new:
        another = s.scalar(
            select(Sighting.id).where(Sighting.id == sighting_id, Sighting.problem_code != problem.code)
        )
        values: dict[str, Any] = {**problem_values(problem)}
        if another is not None:
            values["quarantined_at"] = now
        s.execute(
            update(Sighting)
            .where(Sighting.id == sighting_id)
            .values(values)
            .execution_options(synchronize_session=False)
        )
        if another is None:
            return sighting_id, False
    detail = {"code": problem.code, "reason": problem.reason, "remedy": problem.remedy}
    event = NewEvent(EventType.QUARANTINE, detail, Outcome.WARNING, agent, sighting_id=sighting_id)
    events.append(s, [event], at=now)
    return sighting_id, True


def _enter(
    s: Session, seen: NewSighting, record: NewScan, agent: AgentName, now: dt.datetime
) -> tuple[int, int, bool, bool]:
    """Enter scan and sighting; return the id of each and whether each is new."""
    scan_id, new_scan = _ensure_scan(s, record, now)
    sighting_id, new_sighting = update_sighting(s, seen, scan_id, None, agent, now=now)

    def event(kind: EventType, detail: dict[str, Any], outcome: Outcome = Outcome.SUCCESS) -> NewEvent:
        return NewEvent(kind, detail, outcome, agent, scan_id=scan_id, sighting_id=sighting_id)

    new = []
    if new_sighting and not new_scan:
        mark_names_due(s, [scan_id], now)
    if new_sighting:
        where = {"root": seen.root, "name": seen.display, "size": seen.size}
        new.append(event(EventType.INGESTION, where))
    if new_scan:
        new.append(event(EventType.MESSAGE_DIGEST_CALCULATION, {"sha256": record.sha256}))
    if new_scan or _identify_format(s, scan_id, record):
        facts = {"format": record.format, "width": record.width, "height": record.height}
        identified = Outcome.FAIL if record.format is None else Outcome.SUCCESS
        new.append(event(EventType.FORMAT_IDENTIFICATION, facts, identified))
    events.append(s, new, at=now)
    return scan_id, sighting_id, new_scan, new_sighting


def _ensure_scan(s: Session, record: NewScan, now: dt.datetime) -> tuple[int, bool]:
    """Return the scan of these bytes and whether it is new; one that is not is locked."""
    scan_id = s.scalar(select(Scan.id).where(Scan.sha256 == record.sha256))
    if scan_id is None:
        facts = {"sha256": record.sha256, "bytes": record.bytes, "first_seen_at": now, **_header(record)}
        scan_id = insert_or_ignore(s, Scan, facts, ("sha256",))
        if scan_id is not None:
            return scan_id, True
        scan_id = s.scalars(select(Scan.id).where(Scan.sha256 == record.sha256)).one()
    lock_scan(s, scan_id)
    return scan_id, False


def _identify_format(s: Session, scan_id: int, record: NewScan) -> bool:
    """Fill in the header of a scan that could not be identified before; return whether it was."""
    if record.format is None:
        return False
    identified = s.scalar(
        update(Scan)
        .where(Scan.id == scan_id, Scan.format.is_(None))
        .values(_header(record))
        .returning(Scan.id)
        .execution_options(synchronize_session=False)
    )
    return identified is not None


def _header(record: NewScan) -> dict[str, Any]:
    return {
        "format": record.format,
        "width": record.width,
        "height": record.height,
        "bands": record.bands,
        "bit_depth": record.bit_depth,
        "orientation": record.orientation,
        "icc_sha256": record.icc_sha256,
        "dpi": record.dpi,
        "facts": dict(record.facts),
    }


def _requeue_missed(s: Session, scan_id: int, agent: AgentName, now: dt.datetime) -> None:
    """Queue again the jobs that ended because the file was gone or replaced."""
    for before, code in ((JobState.FAILED, MISSING_FILE), (JobState.CANCELLED, MASTER_CHANGED)):
        move(
            s,
            before,
            JobState.QUEUED,
            (Job.scan_id == scan_id) & (Job.failure_code == code),
            now=now,
            values={"attempts": 0},
            agent=agent,
            detail={"reason": "the file is back"},
        )
