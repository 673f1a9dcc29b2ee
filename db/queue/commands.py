"""Commands of people: pause, resume, cancel, retry, reprocess."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.orm import Session

from db.catalog.file_states import COVERS_ALL_JOBS, UNSUCCESSFUL, job_states
from db.catalog.quarantine import release_scan
from db.catalog.selection import Selection, select_files
from db.catalog.surveys import request_survey
from db.core import events
from db.core.batches import batches
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Job, LanePause, Recipe, Scan, Sighting
from db.core.transitions import MovedJob, move
from db.core.upsert import insert_or_ignore
from db.errors import UnknownScan
from db.queue.enqueue import enqueue_all
from db.queue.failures import CANCELLED_BY_COMMAND, failure_values
from db.queue.pauses import ALL
from db.values import AgentName
from db.vocabulary import EventType, FileState, JobState, Lane, Outcome


@dataclass(frozen=True, slots=True)
class CancelResult:
    """Numbers of queued jobs that were cancelled and of running ones that were requested to stop."""

    cancelled: int
    requested: int


@dataclass(frozen=True, slots=True)
class RetryResult:
    """Numbers of jobs queued again, scans released, and files marked to be registered again."""

    jobs: int
    scans: int
    sightings: int


@dataclass(frozen=True, slots=True)
class ReprocessResult:
    """Numbers of jobs: created, already existing, and not created because the scan is quarantined.

    `unmade` of the existing ones failed or were cancelled: only a retry runs them again.
    """

    created: int
    existing: int
    unmade: int
    quarantined: int


def pause(s: Session, lane: Lane | None, by: str, *, now: dt.datetime | None = None) -> bool:
    """Pause a lane, or all with None; False if it was paused already.

    Running jobs learn of it at their next heartbeat.
    """
    return _set_paused(s, [lane or ALL], by, now or current_time(s), paused=True)


def resume(s: Session, lane: Lane | None, by: str, *, now: dt.datetime | None = None) -> bool:
    """Resume a lane, or all with None; False if nothing was paused."""
    scopes = [ALL, *Lane] if lane is None else [lane]
    return _set_paused(s, scopes, by, now or current_time(s), paused=False)


def cancel(
    s: Session, what: Selection | Iterable[int], by: str, *, now: dt.datetime | None = None
) -> CancelResult:
    """Cancel the queued jobs of the selected files, or these job ids, and ask the running ones to stop.

    Of files selected by state, only the jobs in these states. Raises `EmptySelection`.
    """
    now, agent = now or current_time(s), AgentName.person(by)
    ended = requested = 0
    for selected in _selected_jobs(s, what):
        moved = move(
            s,
            JobState.QUEUED,
            JobState.CANCELLED,
            selected,
            now=now,
            values=failure_values(CANCELLED_BY_COMMAND),
            agent=agent,
            outcome=Outcome.WARNING,
            detail={"code": CANCELLED_BY_COMMAND.code, "reason": f"cancelled by {by}"},
        )
        asked = s.execute(
            update(Job)
            .where(selected, Job.state == JobState.RUNNING, Job.cancel_requested.is_(False))
            .values(cancel_requested=True)
            .returning(Job.id, Job.scan_id)
            .execution_options(synchronize_session=False)
        ).all()
        events.append(
            s,
            (
                NewEvent(
                    EventType.POLICY_ASSIGNMENT,
                    {"cancel_requested": True},
                    agent=agent,
                    scan_id=scan_id,
                    job_id=job_id,
                )
                for job_id, scan_id in asked
            ),
            at=now,
        )
        ended += len(moved)
        requested += len(asked)
    return CancelResult(ended, requested)


def retry(
    s: Session, what: Selection | Iterable[int], by: str, *, now: dt.datetime | None = None
) -> RetryResult:
    """Queue failed and cancelled jobs again with all their attempts, and release quarantined scans.

    Of selected files that never had a job (rejected at intake, or never hashed), size and time are cleared,
    and a rescan is requested, which takes them in as new. Of files selected by state, only the jobs in these
    states are queued; of quarantined ones, all. Raises `EmptySelection`.
    """
    now, agent = now or current_time(s), AgentName.person(by)
    if not isinstance(what, Selection):
        moved = [
            job for ids in batches(what) for job in _queue_again(s, UNSUCCESSFUL, Job.id.in_(ids), agent, now)
        ]
        scan_ids = sorted({job.scan_id for job in moved})
        released = sum(release_scan(s, scan_id, "retried", agent, now=now) for scan_id in scan_ids)
        return RetryResult(len(moved), released, 0)
    jobs = scans = sightings = 0
    for page in batches(select_files(s, what)):
        scan_ids = sorted({file.scan_id for file in page if file.scan_id is not None})
        quarantined = set(
            s.scalars(select(Scan.id).where(Scan.id.in_(scan_ids), Scan.problem_code.is_not(None)))
        )
        for scan_id in sorted(quarantined):
            scans += release_scan(s, scan_id, "retried", agent, now=now)
        moved = _queue_selected_again(s, page, what.states, agent, now)
        without_job = quarantined - {job.scan_id for job in moved}
        jobs += len(moved)
        sightings += _clear_size_and_time(
            s, [f.id for f in page if f.scan_id is None or f.scan_id in without_job]
        )
    if sightings:
        request_survey(s, by, now=now)
    return RetryResult(jobs, scans, sightings)


def reprocess(
    s: Session, scan_ids: Iterable[int], recipe_id: int, requested_by: str, *, now: dt.datetime | None = None
) -> ReprocessResult:
    """Create a job in the bulk lane for each scan that has none with this recipe.

    Existing jobs are left as they are. Raises `UnknownScan` and `UnknownRecipe`.
    """
    now = now or current_time(s)
    created = existing = unmade = quarantined = 0
    for batch in batches(scan_ids):
        page = list(dict.fromkeys(batch))
        problems = dict(s.execute(select(Scan.id, Scan.problem_code).where(Scan.id.in_(page))).all())
        if unknown := set(page) - set(problems):
            raise UnknownScan(
                reason=f"there is no scan {min(unknown)}", remedy="list the files with `saek status`"
            )
        sound = [scan_id for scan_id in page if problems[scan_id] is None]
        agent = AgentName.person(requested_by)
        new = enqueue_all(s, sound, recipe_id, Lane.BULK, requested_by, agent=agent, now=now)
        of_these = (Job.recipe_id == recipe_id, Job.scan_id.in_(sound))
        there = select(func.count()).select_from(Job).where(*of_these)
        created += len(new)
        existing += len(sound) - len(new)
        unmade += s.scalars(there.where(Job.state.in_(UNSUCCESSFUL))).one()
        quarantined += len(page) - len(sound)
    return ReprocessResult(created, existing, unmade, quarantined)


def plan_reprocess(
    s: Session, scan_ids: Iterable[int], fingerprint: str
) -> tuple[frozenset[int], ReprocessResult]:
    """Return the scans for which `reprocess` would create jobs, and its result; read-only."""
    new: set[int] = set()
    existing = unmade = quarantined = 0
    for batch in batches(scan_ids):
        page = set(batch)
        quarantined_ids = set(
            s.scalars(select(Scan.id).where(Scan.id.in_(page), Scan.problem_code.is_not(None)))
        )
        by_recipe = Recipe.fingerprint == fingerprint
        query = select(Job.scan_id, Job.state).join(Recipe, Recipe.id == Job.recipe_id).where(by_recipe)
        there = dict(s.execute(query.where(Job.scan_id.in_(page - quarantined_ids))).all())
        new |= page - quarantined_ids - set(there)
        existing += len(there)
        unmade += sum(state in UNSUCCESSFUL for state in there.values())
        quarantined += len(quarantined_ids)
    return frozenset(new), ReprocessResult(len(new), existing, unmade, quarantined)


def _set_paused(s: Session, scopes: list[str], by: str, now: dt.datetime, *, paused: bool) -> bool:
    changed: list[str] = []
    for scope in scopes:
        if paused:
            insert_or_ignore(
                s, LanePause, {"scope": scope, "paused": False, "since": now, "by": by}, ("scope",)
            )
        changed += s.scalars(
            update(LanePause)
            .where(LanePause.scope == scope, LanePause.paused.is_not(paused))
            .values(paused=paused, since=now, by=by)
            .returning(LanePause.scope)
            .execution_options(synchronize_session=False)
        )
    events.append(
        s,
        (
            NewEvent(
                EventType.POLICY_ASSIGNMENT, {"lane": scope, "paused": paused}, agent=AgentName.person(by)
            )
            for scope in changed
        ),
        at=now,
    )
    return bool(changed)


def _queue_selected_again(
    s: Session, files: Iterable[Row[Any]], states: Collection[FileState], agent: AgentName, now: dt.datetime
) -> list[MovedJob]:
    """Queue jobs of selected files again: all that failed or were cancelled, or those in these states."""
    whole: set[int | None] = set()
    parts: set[int | None] = set()
    for file in files:
        by_its_own = not states or (file.state in states and file.state in COVERS_ALL_JOBS)
        (whole if by_its_own else parts).add(file.scan_id)
    named = [state for state in job_states(states) if state in UNSUCCESSFUL]
    return [
        *_queue_again(s, UNSUCCESSFUL, Job.scan_id.in_(whole - {None}), agent, now),
        *_queue_again(s, named, Job.scan_id.in_(parts - whole - {None}), agent, now),
    ]


def _queue_again(
    s: Session, states: Iterable[JobState], chosen: ColumnElement[bool], agent: AgentName, now: dt.datetime
) -> list[MovedJob]:
    return [
        job
        for ended in states
        for job in move(
            s,
            ended,
            JobState.QUEUED,
            chosen,
            now=now,
            values={"attempts": 0},
            agent=agent,
            detail={"reason": "retried"},
        )
    ]


def _clear_size_and_time(s: Session, sighting_ids: list[int]) -> int:
    """Clear size and time of files, so that the next rescan takes them in again; return how many."""
    return len(
        s.scalars(
            update(Sighting)
            .where(Sighting.id.in_(sighting_ids), Sighting.gone_at.is_(None))
            .values(size=None, mtime_ns=None)
            .returning(Sighting.id)
            .execution_options(synchronize_session=False)
        ).all()
    )


def _selected_jobs(s: Session, what: Selection | Iterable[int]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that together select the jobs."""
    if isinstance(what, Selection):
        files = select_files(s, what, Sighting.scan_id.is_not(None))
        of_scans = (Job.scan_id.in_(ids) for ids in batches(file.scan_id for file in files))
        if not what.states:
            return of_scans
        return (condition & Job.state.in_(job_states(what.states)) for condition in of_scans)
    return (Job.id.in_(ids) for ids in batches(what))
