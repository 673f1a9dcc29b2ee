"""Sightings: which content was seen at which path, when, and whether it is gone."""

import datetime as dt
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, Row, exists, select, update
from sqlalchemy.orm import Session

from db.catalog.names_due import mark_names_due
from db.core import events
from db.core.batches import batches
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Job, Sighting
from db.core.transitions import move
from db.core.upsert import insert_or_ignore
from db.values import MASTER_CHANGED, SAEK, AgentName, KnownSighting, NewSighting, Problem
from db.vocabulary import EventType, JobState, Outcome


def known_sightings(s: Session, root: str, digests: Sequence[bytes]) -> list[KnownSighting]:
    """Return what is known of up to some thousands of paths under `root`, given by the sha256 of each."""
    query = select(
        Sighting.id,
        Sighting.path_sha256,
        Sighting.size,
        Sighting.mtime_ns,
        Sighting.gone_at.is_not(None),
        Sighting.problem_code,
    ).where(Sighting.root == root, Sighting.path_sha256.in_(digests), Sighting.superseded_at.is_(None))
    return [KnownSighting(*row) for row in s.execute(query)]


def possibly_gone(
    s: Session, root: str, before: dt.datetime, after: int, limit: int
) -> list[tuple[int, bytes]]:
    """Return id and path digest of live sightings last seen before a time, ordered by id, after `after`."""
    # Not `root =`: SQLite would use the index of paths then, and sort all of the root for each page.
    within = Sighting.root.concat("") == root
    query = (
        select(Sighting.id, Sighting.path_sha256)
        .where(Sighting.id > after, within, *_unseen_since(before))
        .order_by(Sighting.id)
        .limit(limit)
    )
    return [(row.id, row.path_sha256) for row in s.execute(query)]


def sighting_paths(s: Session, sighting_ids: Sequence[int]) -> list[tuple[int, bytes]]:
    """Return id and path of up to some thousands of sightings."""
    rows = s.execute(select(Sighting.id, Sighting.path).where(Sighting.id.in_(sighting_ids)))
    return [(row.id, row.path) for row in rows]


def count_sightings(s: Session, root: str, most: int) -> int:
    """Return how many files under `root` are known and not gone, but at most `most`."""
    present = Sighting.superseded_at.is_(None) & Sighting.gone_at.is_(None) & (Sighting.root == root)
    return len(s.scalars(select(Sighting.id).where(present).limit(most)).all())


def mark_gone(
    s: Session,
    sighting_ids: Iterable[int],
    before: dt.datetime,
    agent: AgentName = SAEK,
    *,
    now: dt.datetime | None = None,
) -> int:
    """Mark files as gone; return how many were not marked before.

    Files that were seen again since `before`, for instance by another ingester, are left alone.
    """
    now = now or current_time(s)
    return sum(
        _mark_gone(s, (Sighting.id.in_(ids), *_unseen_since(before)), agent, now)
        for ids in batches(sighting_ids)
    )


def mark_scan_gone(
    s: Session, scan_id: int, agent: AgentName = SAEK, *, now: dt.datetime | None = None
) -> int:
    """Mark all files of a scan as gone; return how many were not marked before.

    The next rescan takes in again those that exist after all.
    """
    present = (Sighting.scan_id == scan_id, Sighting.superseded_at.is_(None), Sighting.gone_at.is_(None))
    return _mark_gone(s, present, agent, now or current_time(s))


def _mark_gone(s: Session, which: tuple[ColumnElement[bool], ...], agent: AgentName, now: dt.datetime) -> int:
    gone = s.execute(
        update(Sighting)
        .where(*which)
        .values(gone_at=now)
        .returning(Sighting.id, Sighting.scan_id)
        .execution_options(synchronize_session=False)
    ).all()
    events.append(
        s,
        (
            NewEvent(
                EventType.DISAPPEARANCE,
                outcome=Outcome.WARNING,
                agent=agent,
                scan_id=scan_id,
                sighting_id=sighting_id,
            )
            for sighting_id, scan_id in gone
        ),
        at=now,
    )
    mark_names_due(s, (scan_id for _, scan_id in gone), now)
    return len(gone)


def update_sighting(
    s: Session,
    seen: NewSighting,
    scan_id: int | None,
    problem: Problem | None,
    agent: AgentName,
    *,
    now: dt.datetime,
) -> tuple[int, bool]:
    """Update the live sighting of a path; return its id and whether it is a new one.

    Exactly one of `scan_id` and `problem` is given. The sighting stays while it shows the same content, or
    still has none; otherwise a new one supersedes it.
    """
    live = (
        select(Sighting.id, Sighting.scan_id, Sighting.problem_code, Sighting.gone_at)
        .where(
            Sighting.root == seen.root,
            Sighting.path_sha256 == sha256(seen.path).digest(),
            Sighting.superseded_at.is_(None),
        )
        .with_for_update(key_share=True)
    )
    while True:
        before = s.execute(live).one_or_none()
        if before is not None and before.scan_id == scan_id:
            _refresh(s, before, seen, agent, now)
            return before.id, False
        if before is not None:
            _supersede(s, before, agent, now)
        sighting_id = _insert(s, seen, scan_id, problem, now)
        if sighting_id is not None:
            return sighting_id, True
        # Another process has entered this path meanwhile: read it again.


def _refresh(
    s: Session, before: Row[*tuple[Any, ...]], seen: NewSighting, agent: AgentName, now: dt.datetime
) -> None:
    s.execute(
        update(Sighting)
        .where(Sighting.id == before.id)
        .values(
            size=seen.size,
            mtime_ns=seen.mtime_ns,
            inode=seen.inode,
            collection=seen.collection,
            display=seen.display,
            last_seen_at=now,
            gone_at=None,
        )
        .execution_options(synchronize_session=False)
    )
    if before.gone_at is not None:
        back = NewEvent(EventType.REAPPEARANCE, agent=agent, scan_id=before.scan_id, sighting_id=before.id)
        events.append(s, [back], at=now)
        mark_names_due(s, [before.scan_id], now)


def _supersede(s: Session, before: Row[*tuple[Any, ...]], agent: AgentName, now: dt.datetime) -> None:
    """End a sighting; cancel the queued jobs of its scan if that was seen nowhere else."""
    s.execute(
        update(Sighting)
        .where(Sighting.id == before.id, Sighting.superseded_at.is_(None))
        .values(superseded_at=now)
        .execution_options(synchronize_session=False)
    )
    replaced = NewEvent(
        EventType.REPLACEMENT,
        {"problem": before.problem_code} if before.problem_code else {},
        agent=agent,
        scan_id=before.scan_id,
        sighting_id=before.id,
    )
    events.append(s, [replaced], at=now)
    if before.scan_id is None:
        return
    mark_names_due(s, [before.scan_id], now)
    elsewhere = exists().where(Sighting.scan_id == before.scan_id, Sighting.superseded_at.is_(None))
    reason = "the file now holds other bytes"
    move(
        s,
        JobState.QUEUED,
        JobState.CANCELLED,
        (Job.scan_id == before.scan_id) & ~elsewhere,
        now=now,
        values={
            "failure_code": MASTER_CHANGED,
            "failure_reason": reason,
            "failure_remedy": "nothing to do: the new content has a job of its own",
        },
        agent=agent,
        outcome=Outcome.WARNING,
        detail={"code": MASTER_CHANGED, "reason": reason},
    )


def _insert(
    s: Session, seen: NewSighting, scan_id: int | None, problem: Problem | None, now: dt.datetime
) -> int | None:
    facts: dict[str, Any] = {
        "root": seen.root,
        "path": seen.path,
        "path_sha256": sha256(seen.path).digest(),
        "display": seen.display,
        "collection": seen.collection,
        "size": seen.size,
        "mtime_ns": seen.mtime_ns,
        "inode": seen.inode,
        "scan_id": scan_id,
        "first_seen_at": now,
        "last_seen_at": now,
    }
    if problem is not None:
        facts |= problem_values(problem) | {"quarantined_at": now}
    return insert_or_ignore(
        s, Sighting, facts, ("root", "path_sha256"), where=Sighting.superseded_at.is_(None)
    )


def problem_values(problem: Problem) -> dict[str, str]:
    """Return the columns of a sighting or a scan that hold a problem."""
    return {
        "problem_code": problem.code,
        "problem_reason": problem.reason,
        "problem_remedy": problem.remedy,
    }


def _unseen_since(moment: dt.datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of live sightings that were not seen since a time and are not marked as gone."""
    return (Sighting.superseded_at.is_(None), Sighting.gone_at.is_(None), Sighting.last_seen_at < moment)
