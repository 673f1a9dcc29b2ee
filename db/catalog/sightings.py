"""How one path is followed through time: seen, changed, gone, back again."""

import datetime as dt
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.orm import Session

from db.catalog.links import mark_names_due
from db.core import events
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Job, Sighting
from db.core.transitions import move
from db.core.upsert import insert_or_ignore
from db.values import MASTER_CHANGED, SAEK, AgentName, KnownFile, KnownSighting, NewSighting, Problem
from db.vocabulary import EventType, JobState, Outcome

_PAGE: Final = 500


class Place(NamedTuple):
    """A live sighting as it stands before it is brought up to date."""

    id: int
    scan_id: int | None
    problem_code: str | None
    gone_at: dt.datetime | None


def known_sightings(s: Session, root: str, digests: Sequence[bytes]) -> list[KnownSighting]:
    """Return what is known of up to some thousands of paths under `root`, named by their sha256."""
    query = _KNOWN_PLACES.where(
        Sighting.root == root, Sighting.path_sha256.in_(digests), Sighting.superseded_at.is_(None)
    )
    return [
        KnownSighting(
            row.id, row.path_sha256, row.size, row.mtime_ns, row.gone_at is not None, row.problem_code
        )
        for row in s.execute(query)
    ]


def possibly_gone(
    s: Session, root: str, before: dt.datetime, after: int, limit: int
) -> list[tuple[int, bytes]]:
    """Return id and path's sha256 of sightings that may have gone, from the id after `after` on, in order.

    They are live, not gone, and were last seen earlier than `before`.
    """
    # Not `root =`: SQLite would go by the index of paths then, and sort all that lies there for each page.
    within = Sighting.root.concat("") == root
    query = (
        select(Sighting.id, Sighting.path_sha256)
        .where(Sighting.id > after, within, *_there_before(before))
        .order_by(Sighting.id)
        .limit(limit)
    )
    return [(row.id, row.path_sha256) for row in s.execute(query)]


def sighting_paths(s: Session, sighting_ids: Sequence[int]) -> list[tuple[int, bytes]]:
    """Return id and path of up to some thousands of sightings."""
    rows = s.execute(select(Sighting.id, Sighting.path).where(Sighting.id.in_(sighting_ids)))
    return [(row.id, row.path) for row in rows]


def count_sightings(s: Session, root: str, most: int) -> int:
    """Return how many files under `root` are known and not gone, but no more than `most`."""
    there = Sighting.superseded_at.is_(None) & Sighting.gone_at.is_(None) & (Sighting.root == root)
    return len(s.scalars(select(Sighting.id).where(there).limit(most)).all())


def find_sighting(s: Session, root: str, path: bytes) -> KnownFile | None:
    """Return what is known of one path."""
    row = s.execute(_KNOWN.where(*_live_at(root, path))).one_or_none()
    if row is None:
        return None
    return KnownFile(row.path, row.size, row.mtime_ns, row.gone_at is not None, row.problem_code)


def mark_gone(
    s: Session,
    sighting_ids: Iterable[int],
    before: dt.datetime,
    agent: AgentName = SAEK,
    *,
    now: dt.datetime | None = None,
) -> int:
    """Note that files are no longer where they were seen; return how many were news.

    One that was seen again since `before`, as by another ingester, is left alone.
    """
    now = now or current_time(s)
    rest, count = iter(sighting_ids), 0
    while page := list(islice(rest, _PAGE)):
        count += _note_gone(s, (Sighting.id.in_(page), *_there_before(before)), agent, now)
    return count


def mark_scan_gone(
    s: Session, scan_id: int, agent: AgentName = SAEK, *, now: dt.datetime | None = None
) -> int:
    """Note that a scan's file is at none of the places where it was seen; return how many were news.

    Where it is there after all, the next look into the inbox takes it in again.
    """
    there = (Sighting.scan_id == scan_id, Sighting.superseded_at.is_(None), Sighting.gone_at.is_(None))
    return _note_gone(s, there, agent, now or current_time(s))


def _note_gone(s: Session, which: tuple[ColumnElement[bool], ...], agent: AgentName, now: dt.datetime) -> int:
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
    """Bring the live sighting of a path up to date; return its id and whether it is a new one.

    Exactly one of `scan_id` and `problem` is given. The sighting is kept while it shows the same content, or
    the same lack of one; else it is superseded and a new one begins.
    """
    while True:
        before = _live(s, seen)
        if before is not None and before.scan_id == scan_id:
            _refresh(s, before, seen, agent, now)
            return before.id, False
        if before is not None:
            _supersede(s, before, agent, now)
        sighting_id = _insert(s, seen, scan_id, problem, now)
        if sighting_id is not None:
            return sighting_id, True
        # Another process entered this path since we looked; look again.


def _live(s: Session, seen: NewSighting) -> Place | None:
    row = s.execute(
        select(Sighting.id, Sighting.scan_id, Sighting.problem_code, Sighting.gone_at)
        .where(*_live_at(seen.root, seen.path))
        .with_for_update(key_share=True)
    ).one_or_none()
    return None if row is None else Place(*row)


def _refresh(s: Session, before: Place, seen: NewSighting, agent: AgentName, now: dt.datetime) -> None:
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


def _supersede(s: Session, before: Place, agent: AgentName, now: dt.datetime) -> None:
    """End a sighting; the queued jobs of a scan that was seen nowhere else go with it."""
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
    """Return the sighting columns that hold a problem."""
    return {
        "problem_code": problem.code,
        "problem_reason": problem.reason,
        "problem_remedy": problem.remedy,
    }


def _live_at(root: str, path: bytes) -> tuple[Any, ...]:
    return (
        Sighting.root == root,
        Sighting.path_sha256 == sha256(path).digest(),
        Sighting.superseded_at.is_(None),
    )


def _there_before(moment: dt.datetime) -> tuple[Any, ...]:
    return (Sighting.superseded_at.is_(None), Sighting.gone_at.is_(None), Sighting.last_seen_at < moment)


_KNOWN_PLACES: Final = select(
    Sighting.id,
    Sighting.path_sha256,
    Sighting.size,
    Sighting.mtime_ns,
    Sighting.gone_at,
    Sighting.problem_code,
)

_KNOWN: Final = select(
    Sighting.path, Sighting.size, Sighting.mtime_ns, Sighting.gone_at, Sighting.problem_code
)
