"""How what happened is written down, and by whose hand."""

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
    """One event to be written, with the objects that it concerns."""

    type: EventType
    detail: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome = Outcome.SUCCESS
    agent: AgentName = SAEK
    scan_id: int | None = None
    sighting_id: int | None = None
    job_id: int | None = None
    derivative_id: int | None = None


def append(s: Session, happenings: Iterable[NewEvent], *, at: dt.datetime) -> None:
    """Write events, in order, in the caller's transaction."""
    happenings = list(happenings)
    if not happenings:
        return
    agents = {agent: agent_id(s, agent) for agent in {happening.agent for happening in happenings}}
    s.execute(
        insert(schema.Event),
        [
            {
                "type": happening.type,
                "at": at,
                "outcome": happening.outcome,
                "detail": dict(happening.detail),
                "agent_id": agents[happening.agent],
                "scan_id": happening.scan_id,
                "sighting_id": happening.sighting_id,
                "job_id": happening.job_id,
                "derivative_id": happening.derivative_id,
            }
            for happening in happenings
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
    """Return the event of one transition; `before` is None for a job that was just made."""
    return NewEvent(
        EventType.JOB_STATE_CHANGE,
        {"from": before, "to": after, **{key: value for key, value in detail.items() if value is not None}},
        outcome,
        agent,
        scan_id=scan_id,
        job_id=job_id,
    )


def agent_id(s: Session, agent: AgentName) -> int:
    """Return the id of an agent, entering it if new."""
    facts = {"kind": agent.kind, "name": agent.name, "version": agent.version}
    known = select(schema.Agent.id).filter_by(**facts)
    found = s.scalar(known)
    if found is None:
        found = insert_or_ignore(s, schema.Agent, facts, ("kind", "name", "version"))
    return found if found is not None else s.scalars(known).one()
