"""Quarantine of scans that cannot be processed."""

import datetime as dt
from collections.abc import Collection

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from db.core import events
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Job, Scan
from db.values import SAEK, AgentName, Problem
from db.vocabulary import EventType, JobState, Outcome


def lock_scan(s: Session, scan_id: int) -> None:
    """Lock the row of a scan until the transaction ends.

    Transactions that change a scan and its jobs lock the scan first, so that on PostgreSQL neither of two can
    miss the other's changes or deadlock with it. The lock leaves foreign keys alone: others can still write
    events about the scan.
    """
    s.execute(select(Scan.id).where(Scan.id == scan_id).with_for_update(key_share=True))


def quarantine_scan(
    s: Session, scan_id: int, problem: Problem, agent: AgentName = SAEK, *, now: dt.datetime | None = None
) -> bool:
    """Quarantine a scan without a derivative; False if it has one or is in quarantine already."""
    now = now or current_time(s)
    lock_scan(s, scan_id)
    done = exists().where(Job.scan_id == scan_id, Job.state == JobState.DONE)
    changed = s.scalar(
        update(Scan)
        .where(Scan.id == scan_id, Scan.problem_code.is_(None), ~done)
        .values(
            problem_code=problem.code,
            problem_reason=problem.reason,
            problem_remedy=problem.remedy,
            quarantined_at=now,
        )
        .returning(Scan.id)
        .execution_options(synchronize_session=False)
    )
    if changed is None:
        return False
    detail = {"code": problem.code, "reason": problem.reason, "remedy": problem.remedy}
    event = NewEvent(EventType.QUARANTINE, detail, Outcome.WARNING, agent, scan_id=scan_id)
    events.append(s, [event], at=now)
    return True


def release_scan(
    s: Session,
    scan_id: int,
    reason: str,
    agent: AgentName = SAEK,
    *,
    codes: Collection[str] | None = None,
    now: dt.datetime | None = None,
) -> bool:
    """Release a scan that is in quarantine for one of `codes` (default: any); False if it is not."""
    now = now or current_time(s)
    lock_scan(s, scan_id)
    query = select(Scan.problem_code).where(Scan.id == scan_id, Scan.problem_code.is_not(None))
    code = s.scalar(query if codes is None else query.where(Scan.problem_code.in_(codes)))
    if code is None:
        return False
    s.execute(
        update(Scan)
        .where(Scan.id == scan_id)
        .values(problem_code=None, problem_reason=None, problem_remedy=None, quarantined_at=None)
        .execution_options(synchronize_session=False)
    )
    detail = {"code": code, "reason": reason}
    event = NewEvent(EventType.UNQUARANTINE, detail, agent=agent, scan_id=scan_id)
    events.append(s, [event], at=now)
    return True
