"""Surveys: the result of the last walk through the inbox, and requests for another walk."""

import datetime as dt
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
    """A folder that could not be read, or a file whose path is too long, and why."""

    display: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class SurveyRecord:
    """The result of a walk through the inbox; `refused` and `conflicts` list only the first ones."""

    taken_at: dt.datetime
    files: int
    """Files that are or could be scans."""
    unknown: int
    """Those of them that were not on record yet."""
    sidecars: int
    """Files beside scans that are ignored."""
    conflict_copies: int
    conflicts: tuple[str, ...]
    refused_folders: int
    refused: tuple[RefusedFolder, ...]
    seconds: float


def record_survey(s: Session, survey: SurveyRecord) -> None:
    """Store a survey and replace the last one."""
    facts = asdict(survey)
    del facts["taken_at"]
    _set(s, taken_at=survey.taken_at, facts=facts)


def last_survey(s: Session) -> SurveyRecord | None:
    """Return the last survey, None before the first."""
    row = s.execute(
        select(schema.Survey.taken_at, schema.Survey.facts).where(schema.Survey.root == INBOX)
    ).one_or_none()
    if row is None or row.taken_at is None:
        return None
    refused = tuple(RefusedFolder(**folder) for folder in row.facts["refused"])
    lists = {"refused": refused, "conflicts": tuple(row.facts["conflicts"])}
    return SurveyRecord(taken_at=row.taken_at, **{**row.facts, **lists})


def request_survey(s: Session, by: str, *, now: dt.datetime | None = None) -> None:
    """Ask the ingester, wherever it runs, to walk through the inbox at once."""
    _set(s, wanted_at=now or current_time(s), wanted_by=by)


def survey_requested_at(s: Session) -> dt.datetime | None:
    """Return when a walk was last requested, None if never."""
    return s.scalar(select(schema.Survey.wanted_at).where(schema.Survey.root == INBOX))


def _set(s: Session, **values: Any) -> None:
    insert_or_ignore(s, schema.Survey, {"root": INBOX, "facts": {}}, ("root",))
    s.execute(
        update(schema.Survey)
        .where(schema.Survey.root == INBOX)
        .values(values)
        .execution_options(synchronize_session=False)
    )
