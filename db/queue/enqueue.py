"""Creating jobs."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.core import events
from db.core.clock import current_time
from db.core.schema import Job, Recipe, Scan
from db.core.upsert import insert_missing
from db.errors import UnknownRecipe, UnknownScan
from db.values import SAEK, AgentName
from db.vocabulary import JobState, Lane

MAX_ATTEMPTS: Final = 3
"""Attempts before a job fails for good."""


def enqueue(
    s: Session,
    scan_id: int,
    recipe_id: int,
    lane: Lane,
    requested_by: str,
    *,
    agent: AgentName = SAEK,
    now: dt.datetime | None = None,
) -> tuple[int, bool]:
    """Return the job of a scan and a recipe, and whether it is new; an existing one is left as it is.

    Raises `UnknownScan` and `UnknownRecipe`.
    """
    if s.scalar(select(Scan.id).where(Scan.id == scan_id)) is None:
        raise UnknownScan(reason=f"there is no scan {scan_id}", remedy="list the files with `saek status`")
    if new := enqueue_all(s, [scan_id], recipe_id, lane, requested_by, agent=agent, now=now):
        return new[0], True
    existing = select(Job.id).where(Job.scan_id == scan_id, Job.recipe_id == recipe_id)
    return s.scalars(existing).one(), False


def enqueue_all(
    s: Session,
    scan_ids: Sequence[int],
    recipe_id: int,
    lane: Lane,
    requested_by: str,
    *,
    agent: AgentName = SAEK,
    now: dt.datetime | None = None,
) -> list[int]:
    """Create a job for each scan (at most a thousand) that has none with this recipe; return the new ids.

    Raises `UnknownRecipe`.
    """
    now = now or current_time(s)
    if s.scalar(select(Recipe.id).where(Recipe.id == recipe_id)) is None:
        raise UnknownRecipe(
            reason=f"there is no recipe {recipe_id}", remedy="enter it with `ensure_recipe` first"
        )
    jobs = [
        {
            "scan_id": scan_id,
            "recipe_id": recipe_id,
            "state": JobState.QUEUED,
            "lane": lane,
            "attempts": 0,
            "max_attempts": MAX_ATTEMPTS,
            "requested_by": requested_by,
            "created_at": now,
            "queued_at": now,
            "lease_token": 0,
            "progress_done": 0,
            "progress_total": 0,
            "cancel_requested": False,
        }
        for scan_id in scan_ids
    ]
    new = insert_missing(s, Job, jobs, ("scan_id", "recipe_id"))
    made = s.execute(select(Job.id, Job.scan_id).where(Job.id.in_(new)).order_by(Job.id)).all()
    events.append(
        s,
        (
            events.job_change(
                job_id, scan_id, None, JobState.QUEUED, agent=agent, lane=lane, requested_by=requested_by
            )
            for job_id, scan_id in made
        ),
        at=now,
    )
    return [job_id for job_id, _ in made]
