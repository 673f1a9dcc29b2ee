"""Fixity checks: entering their findings and summarizing them."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.audit.due_checks import TABLES, Due, RecordedFile, present_files
from db.catalog.names_due import mark_names_due
from db.core import events
from db.core.batches import batches
from db.core.clock import current_time
from db.core.events import NewEvent
from db.core.schema import Derivative, Recipe, Sighting
from db.values import SAEK, AgentName, utcnow
from db.vocabulary import EventType, Finding, Holding, Outcome

_SLACK: Final = dt.timedelta(hours=1)
_OUTCOMES: Final = {Finding.INTACT: Outcome.SUCCESS, Finding.REWRITTEN: Outcome.WARNING}


@dataclass(frozen=True, slots=True)
class FileCheck:
    """The finding of one check; `sha256` and `bytes` are those that were read, if the file was read."""

    file: RecordedFile
    finding: Finding
    reason: str | None = None
    sha256: str | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """The findings of the last checks of all files of a kind; `oldest` is the earliest of those checks."""

    files: int
    unchecked: int
    findings: Mapping[Finding, int]
    oldest: dt.datetime | None


def record_checks(
    s: Session, checks: Sequence[FileCheck], *, agent: AgentName = SAEK, now: dt.datetime | None = None
) -> None:
    """Enter findings: one event for each file, and finding and time on the file.

    The names of a derivative become due if one of them is missing, or is intact again.
    """
    now = now or current_time(s)
    made = [check for check in checks if check.file.holding is not Holding.MASTER]
    intact = (Finding.INTACT, None)
    mark_names_due(
        s,
        (
            check.file.scan_id
            for check in made
            if check.finding is Finding.MISSING
            or (check.finding is Finding.INTACT and check.file.finding not in intact)
        ),
        now,
    )
    events.append(s, (_event(check, agent) for check in checks), at=now)
    for holding, table in TABLES.items():
        for finding in Finding:
            ids = sorted(c.file.id for c in checks if (c.file.holding, c.finding) == (holding, finding))
            for page in batches(ids):
                s.execute(
                    update(table)
                    .where(table.id.in_(page))
                    .values(fixity=finding, fixity_at=now)
                    .execution_options(synchronize_session=False)
                )


def forget_future_checks(s: Session, *, now: dt.datetime | None = None) -> int:
    """Clear the time of checks in the future, made with a wrong clock: their files would never be due."""
    later = (now or current_time(s)) + _SLACK
    return sum(
        len(
            s.scalars(
                update(table)
                .where(table.fixity_at > later)
                .values(fixity_at=None)
                .returning(table.id)
                .execution_options(synchronize_session=False)
            ).all()
        )
        for table in TABLES.values()
    )


def check_summary(s: Session, holding: Holding, *, gone: bool = True) -> CheckSummary:
    """Return a summary of the last checks of the files of a kind; `gone` as in `Due`."""
    table = TABLES[holding]
    query = select(table.fixity, func.count(), func.min(table.fixity_at)).group_by(table.fixity)
    rows = s.execute(present_files(query, holding, Due(utcnow(), gone=gone))).all()
    counts = {finding: number for finding, number, _ in rows}
    dates = [oldest for _, _, oldest in rows if oldest is not None]
    return CheckSummary(
        files=sum(counts.values()),
        unchecked=counts.get(None, 0),
        findings={finding: counts.get(finding, 0) for finding in Finding},
        oldest=min(dates, default=None),
    )


def recipe_and_master(s: Session, derivative_id: int) -> tuple[Mapping[str, Any], int | None]:
    """Return the recipe of a derivative and the sighting of a file that still has its master, if any."""
    scan_id, body = s.execute(
        select(Derivative.scan_id, Recipe.body)
        .join(Recipe, Recipe.id == Derivative.recipe_id)
        .where(Derivative.id == derivative_id)
    ).one()
    present = (Sighting.superseded_at.is_(None), Sighting.gone_at.is_(None))
    return body, s.scalar(select(func.min(Sighting.id)).where(Sighting.scan_id == scan_id, *present))


def _event(check: FileCheck, agent: AgentName) -> NewEvent:
    file = check.file
    detail: dict[str, Any] = {"finding": check.finding, "algorithm": "sha256", "expected": file.sha256}
    if check.sha256 is not None:
        detail |= {"found": check.sha256}
    if check.bytes is not None and check.bytes != file.bytes:
        detail |= {"expected_bytes": file.bytes, "found_bytes": check.bytes}
    if check.reason is not None:
        detail |= {"reason": check.reason}
    if file.holding is Holding.LINK:
        detail |= {"name": file.display}
    master = file.holding is Holding.MASTER
    return NewEvent(
        EventType.FIXITY_CHECK,
        detail,
        _OUTCOMES.get(check.finding, Outcome.FAIL),
        agent,
        scan_id=file.scan_id,
        sighting_id=file.id if master else None,
        derivative_id=file.derivative_id,
    )
