"""How the record is built anew from sidecars: what is missing is added, what is there is left as it is."""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import exists, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session

from db.catalog.links import DerivativeName, enter_link, links_of, mark_names_due, name_owner
from db.catalog.quarantine import lock_scan, release_scan
from db.catalog.recipes import ensure_recipe
from db.catalog.sidecars import ROOTS, Sidecar
from db.core import events
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Derivative, Event, Job, Recipe, Scan, Sighting
from db.core.transitions import move
from db.core.upsert import insert_or_ignore
from db.errors import BrokenSidecar
from db.vocabulary import EventType, JobState

_PAGE: Final = 500
_HISTORY: Final = 50
_ROOT: Final = ROOTS["derivative"]


class Place(NamedTuple):
    """Where the derivative of a sidecar lies by now: `path` is relative to the outbox.

    `linked` is whether its file has other names too.
    """

    path: bytes
    display: str
    linked: bool = False


class SidecarStatus(StrEnum):
    """What the record knows of a derivative that a sidecar tells of."""

    NEW = "new"
    UNNAMED = "unnamed"
    """It is on record, but not under this name."""
    OTHER = "other"
    """Another file is on record for the same scan and recipe."""
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class AddedRows:
    """How many rows were added; a job is `jobs` when it is new and `completed` when it had waited.

    `links` are further names of derivatives.
    """

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


@dataclass(frozen=True, slots=True)
class RecordedDerivative:
    """A derivative as it is on record, under one of its names."""

    job_id: int
    root: str
    path: bytes
    display: str
    bytes: int
    sha256: str


def sidecar_status(s: Session, sidecar: Sidecar, place: Place) -> SidecarStatus:
    """Return what the record knows of the derivative of a sidecar, by its place or by its job."""
    if name_owner(s, _ROOT, place.path) is not None:
        return SidecarStatus.KNOWN
    made = _made_by(s, sidecar)
    if made is None:
        return SidecarStatus.NEW
    return SidecarStatus.UNNAMED if made[1] == sidecar.derivative["sha256"] else SidecarStatus.OTHER


def _made_by(s: Session, sidecar: Sidecar) -> tuple[int, str] | None:
    """Return id and checksum of the derivative that is on record for a sidecar's scan and recipe."""
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
    place: Place,
    evidence: Mapping[str, Any],
    *,
    now: dt.datetime | None = None,
) -> AddedRows:
    """Enter what a sidecar tells and the record lacks, with events that say so; nothing is overwritten.

    `evidence` goes into the events: which sidecar it was, and how the derivative was verified. A job that
    waits in the queue is done by this; one in any other state stays as it is, and then so does all else of
    the derivative. The same sidecar again adds nothing. Raises `BrokenSidecar` and `RecipeConflict`; the
    session can be used after that, and holds nothing of this sidecar.
    """
    try:
        with s.begin_nested():
            return _enter(s, sidecar, place, evidence, now or current_time(s))
    except (IntegrityError, DataError) as error:
        raise BrokenSidecar(f"the record refuses what it tells ({error.orig})", "report it") from error
    except DBAPIError:
        raise
    except (StatementError, OverflowError, UnicodeError) as error:  # it never came to the database
        raise BrokenSidecar(f"the record cannot hold what it tells ({error})", "report it") from error


def _enter(
    s: Session, sidecar: Sidecar, place: Place, evidence: Mapping[str, Any], now: dt.datetime
) -> AddedRows:
    scan_id, new_scan = _scan(s, sidecar)
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
        found for told in sidecar.sightings if (found := _sighting(s, scan_id, told, now)) is not None
    ]
    entered = AddedRows(scans=int(new_scan), sightings=len(sightings))
    seen = [
        NewEvent(EventType.RECOVERY, {"of": "sighting", **evidence}, scan_id=scan_id, sighting_id=sighting)
        for sighting in sightings
    ]
    events.append(s, seen, at=now)
    match sidecar_status(s, sidecar, place):
        case SidecarStatus.KNOWN | SidecarStatus.OTHER:
            return entered
        case SidecarStatus.UNNAMED:
            mark_names_due(s, [scan_id], now)
            return replace(entered, links=int(_link(s, sidecar, place, evidence, now)))
    job_id, new_job = _job(s, scan_id, recipe_id, sidecar, now)
    if job_id is None:
        return entered
    derivative_id = _derivative(s, sidecar, place, job_id=job_id, scan_id=scan_id, recipe_id=recipe_id)
    release_scan(s, scan_id, "a derivative was found of it", now=now)
    detail = {
        "of": "derivative",
        **evidence,
        "made_at": sidecar.derivative["created_at"].isoformat(),
        "history": list(sidecar.events[-_HISTORY:]),
    }
    happening = NewEvent(
        EventType.RECOVERY, detail, scan_id=scan_id, job_id=job_id, derivative_id=derivative_id
    )
    events.append(s, [happening], at=now)
    if len(sidecar.sightings) > 1 or sidecar.derivative["path"] != place.path:
        mark_names_due(s, [scan_id], now)
    return replace(entered, jobs=int(new_job), completed=int(not new_job), derivatives=1)


def _link(s: Session, sidecar: Sidecar, place: Place, evidence: Mapping[str, Any], now: dt.datetime) -> bool:
    """Enter a further name of a derivative that is on record."""
    made = _made_by(s, sidecar)
    if made is None:
        return False
    return enter_link(
        s,
        made[0],
        DerivativeName(None, _ROOT, place.path, place.display),
        copied=not place.linked,
        detail={"of": "name", **evidence},
        kind=EventType.RECOVERY,
        now=now,
    )


def recorded_derivatives(s: Session) -> Iterator[RecordedDerivative]:
    """Yield all derivatives in order of id, each under all of its names, in bounded memory.

    It is safe to write between two steps.
    """
    columns = (Derivative.root, Derivative.path, Derivative.display, Derivative.bytes, Derivative.sha256)
    query = select(Derivative.id, Derivative.job_id, *columns).order_by(Derivative.id).limit(_PAGE)
    last = 0
    while page := s.execute(query.where(Derivative.id > last)).all():
        links = links_of(s, [row.id for row in page])
        for row in page:
            first = RecordedDerivative(*row[1:])
            yield first
            for link in links.get(row.id, ()):
                yield replace(first, root=link.root, path=link.path, display=link.display)
        last = page[-1].id


def latest_derivative_paths(s: Session, most: int = 20) -> list[bytes]:
    """Return the paths of the derivatives that were made last, newest first."""
    return list(s.scalars(select(Derivative.path).order_by(Derivative.created_at.desc()).limit(most)))


def _scan(s: Session, sidecar: Sidecar) -> tuple[int, bool]:
    scan_id = insert_or_ignore(s, Scan, sidecar.scan, ("sha256",))
    if scan_id is not None:
        return scan_id, True
    scan_id = s.scalars(select(Scan.id).where(Scan.sha256 == sidecar.scan["sha256"])).one()
    lock_scan(s, scan_id)
    return scan_id, False


def _sighting(s: Session, scan_id: int, told: Mapping[str, Any], now: dt.datetime) -> int | None:
    """Enter a place unless it is known; return its id if it is new.

    Of two contents that were seen at one place the one that was seen later lies there now, whichever of the
    sidecars is read first. What the record saw itself keeps the place.
    """
    digest = sha256(told["path"]).digest()
    here = (Sighting.root == told["root"], Sighting.path_sha256 == digest)
    if s.scalar(select(Sighting.id).where(*here, Sighting.scan_id == scan_id)) is not None:
        return None
    facts = {**told, "path_sha256": digest, "scan_id": scan_id}
    live = s.execute(
        select(Sighting.id, Sighting.first_seen_at, Sighting.last_seen_at, _witnessed())
        .where(*here, Sighting.superseded_at.is_(None))
        .with_for_update(key_share=True)
    ).one_or_none()
    if live is not None and facts["superseded_at"] is None:
        if not live[3] and live.last_seen_at < facts["last_seen_at"]:
            s.execute(
                update(Sighting)
                .where(Sighting.id == live.id)
                .values(superseded_at=facts["first_seen_at"])
                .execution_options(synchronize_session=False)
            )
        else:
            facts["superseded_at"] = now if live[3] else live.first_seen_at
    return insert_or_ignore(
        s, Sighting, facts, ("root", "path_sha256"), where=Sighting.superseded_at.is_(None)
    )


def _witnessed() -> Any:
    """Whether the record itself saw a file come, so that no sidecar knows better."""
    return exists().where(Event.sighting_id == Sighting.id, Event.type == EventType.INGESTION)


def _job(
    s: Session, scan_id: int, recipe_id: int, sidecar: Sidecar, now: dt.datetime
) -> tuple[int | None, bool]:
    """Enter the job as done, or end the one that waits; None if it is in another state."""
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
    waiting = (Job.scan_id == scan_id) & (Job.recipe_id == recipe_id)
    detail = {"reason": "its derivative was found with its sidecar"}
    moved = move(
        s,
        JobState.QUEUED,
        JobState.DONE,
        waiting,
        now=now,
        values={"started_at": facts["started_at"], "finished_at": facts["finished_at"]},
        detail=detail,
    )
    return (moved[0].job_id if moved else None), False


def _derivative(
    s: Session, sidecar: Sidecar, place: Place, *, job_id: int, scan_id: int, recipe_id: int
) -> int:
    facts = {
        **sidecar.derivative,
        "root": _ROOT,
        "path": place.path,
        "path_sha256": sha256(place.path).digest(),
        "display": place.display,
        "job_id": job_id,
        "scan_id": scan_id,
        "recipe_id": recipe_id,
    }
    derivative_id = insert_or_ignore(s, Derivative, facts, ("root", "path_sha256"))
    if derivative_id is None:
        raise BrokenSidecar("its place is taken on record", "run this again")
    return derivative_id
