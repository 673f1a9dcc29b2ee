"""What a look through the inbox tells: what was passed over, and which folders nobody can look into."""

import errno

from db.catalog import RefusedFolder, SurveyRecord, record_survey
from db.core import Database, current_time
from worker.inbox.walk import WalkSummary
from worker.printable import display_path

MAX_LISTED = 20
"""Folders, and conflict copies, that are named; all are counted."""

_RIGHTS = frozenset({errno.EACCES, errno.EPERM})


def is_transient(error: OSError) -> bool:
    """Whether the refusal is one of a disk or share, which may answer when it is asked again soon."""
    return error.errno not in _RIGHTS | {errno.ENAMETOOLONG}


def unreadable_folders(survey: WalkSummary) -> tuple[RefusedFolder, ...]:
    """Return the first folders that could not be looked into, with reason and remedy."""
    first = sorted(survey.refused.items())[:MAX_LISTED]
    return tuple(
        RefusedFolder(display_path(path), error.strerror or "", _remedy(error)) for path, error in first
    )


def store_survey(
    database: Database, survey: WalkSummary, files: int, unknown: int, seconds: float
) -> SurveyRecord:
    """Enter what a look through all of the inbox found; return it."""
    with database.begin() as s:
        record = SurveyRecord(
            taken_at=current_time(s),
            files=files,
            unknown=unknown,
            sidecars=survey.sidecars,
            conflict_copies=len(survey.conflicts),
            conflicts=tuple(display_path(path) for path in sorted(survey.conflicts)[:MAX_LISTED]),
            refused_folders=len(survey.refused),
            refused=unreadable_folders(survey),
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
