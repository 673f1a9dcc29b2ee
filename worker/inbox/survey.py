"""The survey of the inbox on record: what each rescan skipped, and which folders cannot be read."""

import errno
import time
from dataclasses import replace
from typing import Final

import structlog

from db.catalog import RefusedFolder, SurveyRecord, record_survey
from db.core import Database, current_time
from worker.inbox.walk import WalkSummary
from worker.printable import display_path

MAX_LISTED: Final = 20
"""Number of folders, and of conflict copies, that are named; all are counted."""

_UPDATE_SECONDS: Final = 1.0
_NO_RIGHTS: Final = frozenset({errno.EACCES, errno.EPERM})

_log = structlog.get_logger()


class SurveyRecorder:
    """Records each finished rescan, then how many of its new files are still to be registered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last: SurveyRecord | None = None
        self._unreadable: frozenset[bytes] = frozenset()
        self._updated_at = 0.0

    def record(self, summary: WalkSummary, files: int, unknown: int, seconds: float) -> SurveyRecord:
        """Record a finished rescan and return the record; log folders that have become unreadable."""
        with self._database.begin() as s:
            record = SurveyRecord(
                taken_at=current_time(s),
                files=files,
                unknown=unknown,
                sidecars=summary.sidecars,
                conflict_copies=len(summary.conflicts),
                conflicts=tuple(display_path(path) for path in sorted(summary.conflicts)[:MAX_LISTED]),
                refused_folders=len(summary.refused),
                refused=unreadable_folders(summary),
                seconds=round(seconds, 3),
            )
            record_survey(s, record)
        self._last = record
        self._log_unreadable(summary)
        return record

    def update_remaining(self, waiting: int) -> None:
        """Record how many files of the last rescan are still to be registered, until none is."""
        if self._last is None or not self._last.unknown:
            return
        remaining = min(self._last.unknown, waiting)
        now = time.monotonic()
        if remaining == self._last.unknown or (remaining and now < self._updated_at + _UPDATE_SECONDS):
            return
        self._last, self._updated_at = replace(self._last, unknown=remaining), now
        with self._database.begin() as s:
            record_survey(s, self._last)

    def _log_unreadable(self, summary: WalkSummary) -> None:
        """Log each unreadable folder once, and when all can be read again."""
        before, self._unreadable = self._unreadable, frozenset(summary.refused)
        for path, folder in zip(sorted(summary.refused), unreadable_folders(summary), strict=False):
            if path not in before:
                _log.warning(
                    "a folder cannot be read; other folders are read",
                    folder=folder.display,
                    reason=folder.reason,
                    remedy=folder.remedy,
                )
        if before and not self._unreadable:
            _log.info("all folders can be read again", folders=len(before))


def is_transient(error: OSError) -> bool:
    """Return whether a folder may be readable again soon, as on a disk or share that fails."""
    return error.errno not in _NO_RIGHTS | {errno.ENAMETOOLONG}


def unreadable_folders(summary: WalkSummary) -> tuple[RefusedFolder, ...]:
    """Return the first folders that could not be read, with reason and remedy."""
    first = sorted(summary.refused.items())[:MAX_LISTED]
    return tuple(
        RefusedFolder(display_path(path), error.strerror or "", _remedy(error)) for path, error in first
    )


def _remedy(error: OSError) -> str:
    if error.errno in _NO_RIGHTS:
        return "grant permission to read it"
    if error.errno == errno.ENAMETOOLONG:
        return "give it a shorter path: move it up, or give the folders above it shorter names"
    return "check the disk or the share"
