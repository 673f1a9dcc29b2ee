"""What a person can order: pause, resume, cancel, retry, reprocess."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.catalog.file_states import COVERS_ALL_JOBS, UNSUCCESSFUL, job_states
from db.catalog.quarantine import release_scan
from db.catalog.selection import Selection, select_files
from db.catalog.surveys import request_survey
from db.core import events
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Job, LanePause, Recipe, Scan, Sighting
from db.core.transitions import MovedJob, move
from db.core.upsert import insert_or_ignore
from db.errors import UnknownScan
from db.queue.enqueue import enqueue_all, failure_values
from db.queue.jobs import CANCELLED_BY_COMMAND
from db.queue.pauses import ALL
from db.values import AgentName
from db.vocabulary import EventType, FileState, JobState, Lane, Outcome

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class CancelResult:
    """How many jobs were cancelled at once, and how many running ones were asked to stop."""

    cancelled: int
    requested: int


@dataclass(frozen=True, slots=True)
class RetryResult:
    """How many jobs were queued again, scans released, and files that are to be taken in anew at once."""

    jobs: int
    scans: int
    sightings: int


@dataclass(frozen=True, slots=True)
class ReprocessResult:
    """How many jobs were made, were there already, and were not made because the scan is quarantined.

    `unmade` of the existing ones failed or were cancelled: only a retry makes them.
    """

    created: int
    existing: int
    unmade: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class ReprocessPlan:
    """What `reprocess` would do with some scans: which it would make jobs for, and how many not, and why."""

    new: frozenset[int]
    existing: int
    unmade: int
    quarantined: int


def pause(s: Session, lane: Lane | None, by: str, *, now: dt.datetime | None = None) -> bool:
    """Hold a lane, or all with None; False if it was held already.

    What runs in it is told at its next heartbeat.
    """
    return _set_paused(s, [lane or ALL], by, now or current_time(s), paused=True)


def resume(s: Session, lane: Lane | None, by: str, *, now: dt.datetime | None = None) -> bool:
    """Let a lane go on; None lifts every pause. False if nothing was held."""
    scopes = [ALL, *Lane] if lane is None else [lane]
    return _set_paused(s, scopes, by, now or current_time(s), paused=False)


def cancel(
    s: Session, what: Selection | Iterable[int], by: str, *, now: dt.datetime | None = None
) -> CancelResult:
    """Cancel the queued jobs of the chosen files, or of these job ids, and ask the running ones to stop.

    Of files that were chosen by states only the jobs in these states. Raises `EmptySelection`.
    """
    now, agent = now or current_time(s), AgentName.person(by)
    ended = requested = 0
    for chosen in _chosen_jobs(s, what):
        moved = move(
            s,
            JobState.QUEUED,
            JobState.CANCELLED,
            chosen,
            now=now,
            values=failure_values(CANCELLED_BY_COMMAND),
            agent=agent,
            outcome=Outcome.WARNING,
            detail={"code": CANCELLED_BY_COMMAND.code, "reason": f"cancelled by {by}"},
        )
        asked = s.execute(
            update(Job)
            .where(chosen, Job.state == JobState.RUNNING, Job.cancel_requested.is_(False))
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
    """Queue failed and cancelled jobs anew with all their attempts, and release what was quarantined.

    Chosen files that never had a job (refused at intake, or never hashed) are forgotten as far as size and
    time go, and the inbox is to be looked through at once, which takes them in as if they were new. Of files
    that were chosen by states only the jobs in these states, and of quarantined ones all. Raises
    `EmptySelection`.
    """
    now, agent = now or current_time(s), AgentName.person(by)
    if not isinstance(what, Selection):
        pages = _pages(Job.id, what)
        moved = [job for page in pages for job in _queue_again(s, UNSUCCESSFUL, page, agent, now)]
        released = _release(s, sorted({job.scan_id for job in moved}), agent, now)
        return RetryResult(len(moved), released, 0)
    jobs = scans = sightings = 0
    files = select_files(s, what)
    while page := list(islice(files, _PAGE)):
        scan_ids = sorted({file.scan_id for file in page if file.scan_id is not None})
        quarantined = set(
            s.scalars(select(Scan.id).where(Scan.id.in_(scan_ids), Scan.problem_code.is_not(None)))
        )
        scans += _release(s, sorted(quarantined), agent, now)
        moved = _queue_chosen_again(s, page, what.states, agent, now)
        anew = quarantined - {job.scan_id for job in moved}
        jobs += len(moved)
        sightings += _forget(s, [f.id for f in page if f.scan_id is None or f.scan_id in anew])
    if sightings:
        request_survey(s, by, now=now)
    return RetryResult(jobs, scans, sightings)


def reprocess(
    s: Session, scan_ids: Iterable[int], recipe_id: int, requested_by: str, *, now: dt.datetime | None = None
) -> ReprocessResult:
    """Make a job in the bulk lane for each scan that has none with this recipe.

    A job that exists is left as it is, whatever its state. Raises `UnknownScan` and `UnknownRecipe`.
    """
    now = now or current_time(s)
    created = existing = unmade = quarantined = 0
    ids = iter(scan_ids)
    while page := list(dict.fromkeys(islice(ids, _PAGE))):
        problems = dict(s.execute(select(Scan.id, Scan.problem_code).where(Scan.id.in_(page))).all())
        if unknown := set(page) - set(problems):
            raise UnknownScan(f"there is no scan {min(unknown)}", "list the files with `saek status`")
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


def plan_reprocess(s: Session, scan_ids: Iterable[int], fingerprint: str) -> ReprocessPlan:
    """Return what `reprocess` would do by the recipe of that fingerprint; only reads."""
    new: set[int] = set()
    existing = unmade = quarantined = 0
    ids = iter(scan_ids)
    while page := set(islice(ids, _PAGE)):
        aside = set(s.scalars(select(Scan.id).where(Scan.id.in_(page), Scan.problem_code.is_not(None))))
        by_recipe = Recipe.fingerprint == fingerprint
        query = select(Job.scan_id, Job.state).join(Recipe, Recipe.id == Job.recipe_id).where(by_recipe)
        there = dict(s.execute(query.where(Job.scan_id.in_(page - aside))).all())
        new |= page - aside - set(there)
        existing += len(there)
        unmade += sum(state in UNSUCCESSFUL for state in there.values())
        quarantined += len(aside)
    return ReprocessPlan(frozenset(new), existing, unmade, quarantined)


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


def _queue_chosen_again(
    s: Session, files: Iterable[Row[Any]], states: Collection[FileState], agent: AgentName, now: dt.datetime
) -> list[MovedJob]:
    """Queue the jobs anew by which the files were chosen: all that ended badly, or those in these states."""
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


def _release(s: Session, scan_ids: list[int], agent: AgentName, now: dt.datetime) -> int:
    return sum(release_scan(s, scan_id, "retried", agent, now=now) for scan_id in scan_ids)


def _forget(s: Session, sighting_ids: list[int]) -> int:
    """Let the next rescan find that these files changed."""
    return len(
        s.scalars(
            update(Sighting)
            .where(Sighting.id.in_(sighting_ids), Sighting.gone_at.is_(None))
            .values(size=None, mtime_ns=None)
            .returning(Sighting.id)
            .execution_options(synchronize_session=False)
        ).all()
    )


def _chosen_jobs(s: Session, what: Selection | Iterable[int]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that together mean the chosen jobs."""
    if isinstance(what, Selection):
        files = select_files(s, what, Sighting.scan_id.is_not(None))
        pages = _pages(Job.scan_id, (file.scan_id for file in files))
        return (page & Job.state.in_(job_states(what.states)) for page in pages) if what.states else pages
    return _pages(Job.id, what)


def _pages(column: InstrumentedAttribute[int], ids: Iterable[int]) -> Iterator[ColumnElement[bool]]:
    ids = iter(ids)
    while page := list(islice(ids, _PAGE)):
        yield column.in_(page)
