"""Job state transitions: one guarded UPDATE and one event each.

They are in the core because the catalog makes them too: a replaced file cancels the queued jobs of its scan.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from db.core import events
from db.core.schema import Job
from db.values import SAEK, AgentName
from db.vocabulary import JobState, Outcome


class MovedJob(NamedTuple):
    """A job whose state has changed."""

    job_id: int
    scan_id: int
    attempts: int


def move(
    s: Session,
    before: JobState,
    after: JobState,
    condition: ColumnElement[bool],
    *,
    now: dt.datetime,
    values: Mapping[str, Any] | None = None,
    agent: AgentName = SAEK,
    outcome: Outcome = Outcome.SUCCESS,
    detail: Mapping[str, Any] | None = None,
) -> list[MovedJob]:
    """Move every job that is in state `before` and meets `condition` to `after`, with one event each.

    `values` are columns to set as well as those that belong to `after`. `detail` goes into the events. Two
    callers cannot make the same transition: the statement only touches jobs that are still in `before`.
    """
    moved = [
        MovedJob(*row)
        for row in s.execute(
            update(Job)
            .where(Job.state == before, condition)
            .values({**_columns_of(after, now), **(values or {})})
            .returning(Job.id, Job.scan_id, Job.attempts)
            .execution_options(synchronize_session=False)
        )
    ]
    events.append(
        s,
        (
            events.job_change(
                job.job_id,
                job.scan_id,
                before,
                after,
                agent=agent,
                outcome=outcome,
                **{"attempts": job.attempts, **(detail or {})},
            )
            for job in moved
        ),
        at=now,
    )
    return moved


def _columns_of(state: JobState, now: dt.datetime) -> dict[str, Any]:
    """Return the columns that every job gets when it enters a state."""
    if state is JobState.RUNNING:
        return {
            "state": state,
            "attempts": Job.attempts + 1,
            "lease_token": Job.lease_token + 1,
            "started_at": now,
            "heartbeat_at": now,
            "not_before": None,
            "wait_reason": None,
            **_NO_PROGRESS,
        }
    left = {
        "state": state,
        "lease_owner": None,
        "lease_expires_at": None,
        "cancel_requested": False,
        "not_before": None,
        "wait_reason": None,
        "waiting_since": None,
    }
    if state is JobState.QUEUED:
        return {**left, **_NO_PROGRESS, "queued_at": now, "published_at": None, "finished_at": None}
    if state is JobState.DONE:
        return {
            **left,
            "finished_at": now,
            "failure_code": None,
            "failure_reason": None,
            "failure_remedy": None,
        }
    return {**left, "finished_at": now}


_NO_PROGRESS: Final[dict[str, Any]] = {"progress_stage": None, "progress_done": 0, "progress_total": 0}
