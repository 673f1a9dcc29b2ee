"""What the last look through the inbox found besides scans, and how another one is asked for."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.core import schema
from db.core.clock import current_time
from db.core.upsert import insert_or_ignore
from db.vocabulary import INBOX


@dataclass(frozen=True, slots=True)
class RefusedFolder:
    """A folder (or a file by a path too long to be used) that nobody could look into, and why."""

    display: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class SurveyRecord:
    """What a look through all of the inbox found; `refused` and `conflicts` name the first ones only."""

    taken_at: dt.datetime
    files: int
    """Scans, or what could be."""
    unknown: int
    """Those of them that were still to be taken in."""
    sidecars: int
    """Files beside scans that are passed over."""
    conflict_copies: int
    conflicts: tuple[str, ...]
    refused_folders: int
    refused: tuple[RefusedFolder, ...]
    seconds: float


def record_survey(s: Session, survey: SurveyRecord) -> None:
    """Keep a survey in the place of the last one."""
    facts = asdict(survey)
    del facts["taken_at"]
    _set(s, taken_at=survey.taken_at, facts=facts)


def last_survey(s: Session) -> SurveyRecord | None:
    """Return the last survey, None before the first."""
    row = s.execute(
        select(schema.Survey.taken_at, schema.Survey.facts).where(schema.Survey.root == INBOX)
    ).one_or_none()
    return None if row is None or row.taken_at is None else _survey(row.taken_at, row.facts)


def request_survey(s: Session, by: str, *, now: dt.datetime | None = None) -> None:
    """Ask the ingester to look through the inbox at once, wherever it runs."""
    _set(s, wanted_at=now or current_time(s), wanted_by=by)


def survey_requested_at(s: Session) -> dt.datetime | None:
    """Return when a look was last asked for, None if it never was."""
    return s.scalar(select(schema.Survey.wanted_at).where(schema.Survey.root == INBOX))


def _set(s: Session, **values: Any) -> None:
    insert_or_ignore(s, schema.Survey, {"root": INBOX, "facts": {}}, ("root",))
    s.execute(
        update(schema.Survey)
        .where(schema.Survey.root == INBOX)
        .values(values)
        .execution_options(synchronize_session=False)
    )


def _survey(taken_at: dt.datetime, facts: Mapping[str, Any]) -> SurveyRecord:
    known = {**facts, "refused": tuple(RefusedFolder(**one) for one in facts["refused"])}
    return SurveyRecord(taken_at=taken_at, **{**known, "conflicts": tuple(facts["conflicts"])})
