"""What must hold when the dust has settled, looked up in the record and on the disk."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.catalog.files import list_files
from db.core.engine import Database
from db.core.schema import Derivative, Event, Job
from db.queue.enqueue import MAX_ATTEMPTS
from db.queue.failures import WORKER_DIED
from db.vocabulary import EventType, FileState, JobState


@dataclass(frozen=True)
class Reckoning:
    """Counts, and whatever is wrong in words."""

    files: Mapping[str, int]
    derivatives: int
    executions: int
    """Times that a job was begun."""
    most_executions: int
    """Of a single job."""
    killed_off: int
    """Files in quarantine because their worker was killed as often as a job is tried: by lot, and rightly."""
    wrong: tuple[str, ...]


def reckon(database: Database, outbox: Path, expected: Mapping[str, str], most_executions: int) -> Reckoning:
    """Compare the record with the disk and both with how each file, by its path, is to end."""
    wrong: list[str] = []
    with database.read() as s:
        found = {row.display: row for row in list_files(s)}
        runs = Counter(
            dict(
                s.execute(
                    select(Event.job_id, func.count())
                    .where(
                        Event.type == EventType.JOB_STATE_CHANGE,
                        Event.detail["to"].as_string() == JobState.RUNNING.value,
                    )
                    .group_by(Event.job_id)
                ).all()
            )
        )
        killed_off = {
            row.display
            for row in found.values()
            if row.code == WORKER_DIED and row.scan_id is not None and _deaths(s, row.scan_id) >= MAX_ATTEMPTS
        }
        leased = s.scalar(select(func.count()).where(Job.lease_owner.is_not(None)))
        twice = s.execute(
            select(Derivative.job_id, func.count()).group_by(Derivative.job_id).having(func.count() > 1)
        ).all()
        made = s.execute(select(Derivative.path, Derivative.sha256)).all()
    states = Counter(row.state.value for row in found.values())
    wrong += [
        f"{name}: {'not in the record' if name in expected else 'nobody dropped it'}"
        for name in sorted(set(expected) ^ set(found))
    ]
    for name, kind in expected.items():
        row = found.get(name)
        end = None if row is None else ("done" if row.state is FileState.DONE else row.code)
        if row is not None and end != kind and name not in killed_off:
            wrong.append(f"{name}: {row.state.value} {row.code or ''} instead of {kind} ({row.reason})")
    if leased:
        wrong.append(f"{leased} leases are still held")
    wrong += [f"job {job} has {count} derivatives" for job, count in twice]
    outputs = {outbox / os.fsdecode(path): digest for path, digest in made}
    for path, digest in outputs.items():
        if not path.is_file():
            wrong.append(f"{path.name}: recorded, but not there")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"{path.name}: other bytes than recorded")
    there = {path for path in outbox.rglob("*") if path.is_file() and not _belongs(path, outputs)}
    wrong += [f"{path.relative_to(outbox)}: left over" for path in sorted(there)]
    most = max(runs.values(), default=0)
    if most > most_executions:
        wrong.append(f"a job was begun {most} times")
    return Reckoning(dict(states), len(made), sum(runs.values()), most, len(killed_off), tuple(wrong))


def _deaths(s: Session, scan_id: int) -> int:
    """How often a worker died or fell silent over a scan, by the record."""
    deaths = select(func.count()).where(
        Event.scan_id == scan_id,
        Event.type == EventType.JOB_STATE_CHANGE,
        Event.detail["code"].as_string() == WORKER_DIED,
    )
    return s.scalar(deaths) or 0


def _belongs(path: Path, outputs: Mapping[Path, str]) -> bool:
    """Whether a file of the outbox is a derivative, the sidecar of one, or the outbox's own mark."""
    sidecar = path.suffix == ".json" and path.with_suffix("") in outputs
    return path in outputs or sidecar or (path.name.startswith(".saek") and "-job" not in path.name)
