"""What a look through the inbox tells: what was passed over, and which folders nobody can look into."""

import errno

from db.catalog.surveys import Refused, SurveyRecord, record_survey
from db.core.clock import clock
from db.core.engine import Database
from worker.inbox.walk import Survey
from worker.printable import display_name

MOST_TOLD = 20
"""Folders, and conflict copies, that are named; all are counted."""

_RIGHTS = frozenset({errno.EACCES, errno.EPERM})


def passes_by_itself(error: OSError) -> bool:
    """Whether the refusal is one of a disk or share, which may answer when it is asked again soon."""
    return error.errno not in _RIGHTS | {errno.ENAMETOOLONG}


def told(survey: Survey) -> tuple[Refused, ...]:
    """Return the first folders that could not be looked into, with reason and remedy."""
    first = sorted(survey.refused.items())[:MOST_TOLD]
    return tuple(Refused(display_name(path), error.strerror or "", _remedy(error)) for path, error in first)


def keep(database: Database, survey: Survey, files: int, unknown: int, seconds: float) -> SurveyRecord:
    """Enter what a look through all of the inbox found; return it."""
    with database.begin() as s:
        record = SurveyRecord(
            taken_at=clock(s),
            files=files,
            unknown=unknown,
            sidecars=survey.sidecars,
            conflict_copies=len(survey.conflicts),
            conflicts=tuple(display_name(path) for path in sorted(survey.conflicts)[:MOST_TOLD]),
            refused_folders=len(survey.refused),
            refused=told(survey),
            seconds=round(seconds, 3),
        )
        record_survey(s, record)
    return record


def _remedy(error: OSError) -> str:
    if error.errno in _RIGHTS:
        return "give Saek the right to read it"
    if error.errno == errno.ENAMETOOLONG:
        return "give it a shorter path: move it up, or give the folders above it shorter names"
    return "check the disk or the share that it lies on"
