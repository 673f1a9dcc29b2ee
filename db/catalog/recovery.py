"""Recovery of the record from sidecars: missing rows are added, existing ones are left as they are."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import exists, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from db.catalog.links import DerivativeName, enter_link, name_owner
from db.catalog.names_due import mark_names_due
from db.catalog.quarantine import lock_scan, release_scan
from db.catalog.recipes import ensure_recipe
from db.catalog.sidecars import Sidecar
from db.core import events
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Derivative, Event, Job, Recipe, Scan, Sighting
from db.core.transitions import move
from db.core.upsert import insert_or_ignore
from db.errors import BrokenSidecar
from db.vocabulary import EventType, JobState

_HISTORY: Final = 50


class SidecarStatus(StrEnum):
    """Status in the record of the derivative that a sidecar describes."""

    NEW = "new"
    UNNAMED = "unnamed"
    """It is on record, but not under this name."""
    OTHER = "other"
    """Another file is on record for the same scan and recipe."""
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class AddedRows:
    """Numbers of added rows. `completed` are jobs that were queued before; `links` are further names."""

    scans: int = 0
    sightings: int = 0
    jobs: int = 0
    completed: int = 0
    derivatives: int = 0
    links: int = 0

    def __add__(self, other: "AddedRows") -> "AddedRows":
        """Return the sums."""
        return AddedRows(
            self.scans + other.scans,
            self.sightings + other.sightings,
            self.jobs + other.jobs,
            self.completed + other.completed,
            self.derivatives + other.derivatives,
            self.links + other.links,
        )


def sidecar_status(s: Session, sidecar: Sidecar, name: DerivativeName) -> SidecarStatus:
    """Return what the record knows of the derivative of a sidecar, by its name or by its scan and recipe."""
    if name_owner(s, name.root, name.path) is not None:
        return SidecarStatus.KNOWN
    recorded = _recorded(s, sidecar)
    if recorded is None:
        return SidecarStatus.NEW
    return SidecarStatus.UNNAMED if recorded[1] == sidecar.derivative["sha256"] else SidecarStatus.OTHER


def _recorded(s: Session, sidecar: Sidecar) -> tuple[int, str] | None:
    """Return id and checksum of the derivative on record for the scan and recipe of a sidecar."""
    row = s.execute(
        select(Derivative.id, Derivative.sha256)
        .join(Scan, Scan.id == Derivative.scan_id)
        .join(Recipe, Recipe.id == Derivative.recipe_id)
        .where(
            Scan.sha256 == sidecar.scan["sha256"],
            Recipe.fingerprint == sidecar.recipe["fingerprint"],
        )
    ).one_or_none()
    return None if row is None else (row.id, row.sha256)


def enter_sidecar(
    s: Session,
    sidecar: Sidecar,
    name: DerivativeName,
    evidence: Mapping[str, Any],
    *,
    linked: bool = False,
    now: dt.datetime | None = None,
) -> AddedRows:
    """Add the rows that a sidecar describes and the record lacks, with their events; overwrite nothing.

    `name` is where the derivative is now, and `linked` whether its file has other names. `evidence` goes into
    the events: which sidecar it was, and how the derivative was verified. A queued job becomes done; a
    job in any other state stays as it is, and then so does everything else of the derivative. Entering the
    same sidecar again adds nothing.

    Raises `BrokenSidecar` and `RecipeConflict`; the session stays usable and has nothing of this sidecar.
    """
    try:
        with s.begin_nested():
            return _enter(s, sidecar, name, evidence, linked=linked, now=now or current_time(s))
    except (IntegrityError, DataError) as error:
        raise BrokenSidecar(
            reason=f"the database rejects its values ({error.orig})", remedy="report it"
        ) from error
    except DBAPIError:
        raise
    except (StatementError, OverflowError, UnicodeError) as error:  # before the database saw them
        raise BrokenSidecar(reason=f"its values cannot be stored ({error})", remedy="report it") from error


def _enter(
    s: Session,
    sidecar: Sidecar,
    name: DerivativeName,
    evidence: Mapping[str, Any],
    *,
    linked: bool,
    now: dt.datetime,
) -> AddedRows:
    scan_id, new_scan = _enter_scan(s, sidecar)
    recipe_id = ensure_recipe(
        s,
        sidecar.recipe["fingerprint"],
        sidecar.recipe["body"],
        model_name=sidecar.model["name"],
        weights_sha256=sidecar.model["weights_sha256"],
        card=sidecar.model["card"],
        now=sidecar.recipe["created_at"],
    )
    sightings = [
        new for row in sidecar.sightings if (new := _enter_sighting(s, scan_id, row, now)) is not None
    ]
    added = AddedRows(scans=int(new_scan), sightings=len(sightings))
    seen = [
        NewEvent(EventType.RECOVERY, {"of": "sighting", **evidence}, scan_id=scan_id, sighting_id=sighting)
        for sighting in sightings
    ]
    events.append(s, seen, at=now)
    match sidecar_status(s, sidecar, name):
        case SidecarStatus.KNOWN | SidecarStatus.OTHER:
            return added
        case SidecarStatus.UNNAMED:
            mark_names_due(s, [scan_id], now)
            recorded = _recorded(s, sidecar)
            new_link = recorded is not None and enter_link(
                s,
                recorded[0],
                name,
                copied=not linked,
                detail={"of": "name", **evidence},
                kind=EventType.RECOVERY,
                now=now,
            )
            return replace(added, links=int(new_link))
    job_id, new_job = _complete_job(s, scan_id, recipe_id, sidecar, now)
    if job_id is None:
        return added
    row = {
        **sidecar.derivative,
        "root": name.root,
        "path": name.path,
        "path_sha256": sha256(name.path).digest(),
        "display": name.display,
        "job_id": job_id,
        "scan_id": scan_id,
        "recipe_id": recipe_id,
    }
    derivative_id = insert_or_ignore(s, Derivative, row, ("root", "path_sha256"))
    if derivative_id is None:
        raise BrokenSidecar(reason="its path is taken on record", remedy="run this again")
    release_scan(s, scan_id, "a derivative was found of it", now=now)
    detail = {
        "of": "derivative",
        **evidence,
        "made_at": sidecar.derivative["created_at"].isoformat(),
        "history": list(sidecar.events[-_HISTORY:]),
    }
    event = NewEvent(EventType.RECOVERY, detail, scan_id=scan_id, job_id=job_id, derivative_id=derivative_id)
    events.append(s, [event], at=now)
    if len(sidecar.sightings) > 1 or sidecar.derivative["path"] != name.path:
        mark_names_due(s, [scan_id], now)
    return replace(added, jobs=int(new_job), completed=int(not new_job), derivatives=1)


def _enter_scan(s: Session, sidecar: Sidecar) -> tuple[int, bool]:
    """Return the id of the scan and whether it is new; one that is not is locked."""
    scan_id = insert_or_ignore(s, Scan, sidecar.scan, ("sha256",))
    if scan_id is not None:
        return scan_id, True
    scan_id = s.scalars(select(Scan.id).where(Scan.sha256 == sidecar.scan["sha256"])).one()
    lock_scan(s, scan_id)
    return scan_id, False


def _enter_sighting(s: Session, scan_id: int, row: Mapping[str, Any], now: dt.datetime) -> int | None:
    """Enter a sighting unless it is known; return its id if it is new.

    Of two contents that were seen at one path, the one seen later is the live one, whichever sidecar is read
    first. A sighting that the record itself witnessed stays live.
    """
    digest = sha256(row["path"]).digest()
    here = (Sighting.root == row["root"], Sighting.path_sha256 == digest)
    if s.scalar(select(Sighting.id).where(*here, Sighting.scan_id == scan_id)) is not None:
        return None
    facts = {**row, "path_sha256": digest, "scan_id": scan_id}
    witnessed = exists().where(Event.sighting_id == Sighting.id, Event.type == EventType.INGESTION)
    live = s.execute(
        select(Sighting.id, Sighting.first_seen_at, Sighting.last_seen_at, witnessed.label("witnessed"))
        .where(*here, Sighting.superseded_at.is_(None))
        .with_for_update(key_share=True)
    ).one_or_none()
    if live is not None and facts["superseded_at"] is None:
        if not live.witnessed and live.last_seen_at < facts["last_seen_at"]:
            s.execute(
                update(Sighting)
                .where(Sighting.id == live.id)
                .values(superseded_at=facts["first_seen_at"])
                .execution_options(synchronize_session=False)
            )
        else:
            facts["superseded_at"] = now if live.witnessed else live.first_seen_at
    return insert_or_ignore(
        s, Sighting, facts, ("root", "path_sha256"), where=Sighting.superseded_at.is_(None)
    )


def _complete_job(
    s: Session, scan_id: int, recipe_id: int, sidecar: Sidecar, now: dt.datetime
) -> tuple[int | None, bool]:
    """Enter the job as done, or complete the queued one: its id (None in any other state), whether new."""
    facts = {name: value for name, value in sidecar.job.items() if name != "id"}
    facts |= {
        "scan_id": scan_id,
        "recipe_id": recipe_id,
        "state": JobState.DONE,
        "lease_token": 0,
        "progress_done": 0,
        "progress_total": 0,
        "cancel_requested": False,
    }
    job_id = insert_or_ignore(s, Job, facts, ("scan_id", "recipe_id"))
    if job_id is not None:
        return job_id, True
    moved = move(
        s,
        JobState.QUEUED,
        JobState.DONE,
        (Job.scan_id == scan_id) & (Job.recipe_id == recipe_id),
        now=now,
        values={"started_at": facts["started_at"], "finished_at": facts["finished_at"]},
        detail={"reason": "its derivative was found with its sidecar"},
    )
    return (moved[0].job_id if moved else None), False
