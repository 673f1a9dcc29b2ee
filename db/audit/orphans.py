"""Orphan test: files in the outbox that are not on record."""

from collections.abc import Collection
from hashlib import sha256
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from db.core.batches import batches
from db.core.schema import Derivative, Job, Link, Recipe, Scan
from db.vocabulary import JobState

_UNFINISHED: Final = (JobState.QUEUED, JobState.RUNNING)


def known_derivatives(s: Session, root: str, paths: Collection[bytes]) -> set[bytes]:
    """Return those of the paths that are names of derivatives on record."""
    known: set[bytes] = set()
    for batch in batches(paths):
        page = {sha256(path).digest(): path for path in batch}
        rows = s.scalars(
            select(Derivative.path_sha256).where(Derivative.root == root, Derivative.path_sha256.in_(page))
        )
        links = s.scalars(
            select(Link.path_sha256).where(
                Link.root == root, Link.path_sha256.in_(page), Link.withdrawn_at.is_(None)
            )
        )
        known |= {page[digest] for digest in (*rows, *links)}
    return known


def is_unfinished(s: Session, scan_prefix: str, fingerprint_prefix: str) -> bool:
    """Return whether a file of a scan and a recipe with these digest prefixes may be getting its name."""
    job = (
        select(Job.id)
        .join(Scan, Scan.id == Job.scan_id)
        .join(Recipe, Recipe.id == Job.recipe_id)
        .where(
            Scan.sha256 >= scan_prefix,
            Scan.sha256 < scan_prefix + "g",
            Recipe.fingerprint.startswith(fingerprint_prefix, autoescape=True),
            or_(Job.state.in_(_UNFINISHED), Scan.names_due_at.is_not(None)),
        )
        .limit(1)
    )
    return s.scalar(job) is not None


def is_running(s: Session, job_id: int) -> bool:
    """Return whether a job is running."""
    return s.scalar(select(Job.id).where(Job.id == job_id, Job.state == JobState.RUNNING)) is not None
