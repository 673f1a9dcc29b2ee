"""Leases: the right of one worker to work on a job, with all that it needs to know."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.core.schema import Job, Recipe, Scan, Sighting
from db.queue.job_files import job_file_name
from db.vocabulary import Lane


@dataclass(frozen=True, slots=True)
class MasterFile:
    """A file of the scan as it was last seen."""

    root: str
    path: bytes
    display: str
    size: int | None
    mtime_ns: int | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one job until `expires_at`; `token` fences off earlier holders.

    `masters` are the files of the scan that are not known to be gone, last seen first; there may be none.
    `attempt` counts from 1. `display` names the file for people, even if it is gone.
    """

    job_id: int
    token: int
    attempt: int
    max_attempts: int
    owner: str
    scan_id: int
    scan_sha256: str
    display: str
    masters: tuple[MasterFile, ...]
    recipe_id: int
    recipe_body: Mapping[str, Any]
    fingerprint: str
    lane: Lane
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class PendingCommands:
    """Commands for a running job, returned by each heartbeat."""

    cancel_requested: bool
    paused: bool


def read_lease(s: Session, job_id: int) -> Lease:
    """Return the lease of a job and its files in one query, since workers wait for it."""
    there = (Sighting.scan_id == Job.scan_id) & Sighting.superseded_at.is_(None) & Sighting.gone_at.is_(None)
    rows = s.execute(
        select(
            Job.lease_token,
            Job.attempts,
            Job.max_attempts,
            Job.lease_owner,
            Job.lease_expires_at,
            Job.lane,
            Job.scan_id,
            Scan.sha256,
            job_file_name().label("name"),
            Recipe.id.label("recipe_id"),
            Recipe.body,
            Recipe.fingerprint,
            Sighting.root,
            Sighting.path,
            Sighting.display,
            Sighting.size,
            Sighting.mtime_ns,
        )
        .join(Scan, Scan.id == Job.scan_id)
        .join(Recipe, Recipe.id == Job.recipe_id)
        .outerjoin(Sighting, there)
        .where(Job.id == job_id)
        .order_by(Sighting.last_seen_at.desc(), Sighting.id.desc())
    ).all()
    job = rows[0]
    return Lease(
        job_id=job_id,
        token=job.lease_token,
        attempt=job.attempts,
        max_attempts=job.max_attempts,
        owner=job.lease_owner,
        scan_id=job.scan_id,
        scan_sha256=job.sha256,
        display=job.name or f"scan:{job.scan_id}",
        masters=tuple(
            MasterFile(row.root, row.path, row.display, row.size, row.mtime_ns)
            for row in rows
            if row.root is not None
        ),
        recipe_id=job.recipe_id,
        recipe_body=job.body,
        fingerprint=job.fingerprint,
        lane=job.lane,
        expires_at=job.lease_expires_at,
    )
