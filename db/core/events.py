"""Events: what happened, to which objects, and who is responsible."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.core import schema
from db.core.upsert import insert_or_ignore
from db.values import SAEK, AgentName
from db.vocabulary import EventType, JobState, Outcome


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be written, with the objects that it concerns."""

    type: EventType
    detail: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome = Outcome.SUCCESS
    agent: AgentName = SAEK
    scan_id: int | None = None
    sighting_id: int | None = None
    job_id: int | None = None
    derivative_id: int | None = None


def append(s: Session, new: Iterable[NewEvent], *, at: dt.datetime) -> None:
    """Write events, in order, in the caller's transaction."""
    new = list(new)
    if not new:
        return
    agents = {agent: agent_id(s, agent) for agent in {event.agent for event in new}}
    s.execute(
        insert(schema.Event),
        [
            {
                "type": event.type,
                "at": at,
                "outcome": event.outcome,
                "detail": dict(event.detail),
                "agent_id": agents[event.agent],
                "scan_id": event.scan_id,
                "sighting_id": event.sighting_id,
                "job_id": event.job_id,
                "derivative_id": event.derivative_id,
            }
            for event in new
        ],
    )


def job_change(
    job_id: int,
    scan_id: int,
    before: JobState | None,
    after: JobState,
    *,
    agent: AgentName = SAEK,
    outcome: Outcome = Outcome.SUCCESS,
    **detail: Any,
) -> NewEvent:
    """Return the event of a job's state change; `before` is None for a new job."""
    return NewEvent(
        EventType.JOB_STATE_CHANGE,
        {"from": before, "to": after, **{key: value for key, value in detail.items() if value is not None}},
        outcome,
        agent,
        scan_id=scan_id,
        job_id=job_id,
    )


def agent_id(s: Session, agent: AgentName) -> int:
    """Return the id of an agent; enter the agent if it is new."""
    facts = {"kind": agent.kind, "name": agent.name, "version": agent.version}
    known = select(schema.Agent.id).filter_by(**facts)
    found = s.scalar(known)
    if found is None:
        found = insert_or_ignore(s, schema.Agent, facts, ("kind", "name", "version"))
    return found if found is not None else s.scalars(known).one()
