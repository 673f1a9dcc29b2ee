"""The goal of `saek station --until-idle`: when all files in the inbox have ended, or cannot end."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

import structlog

from db.catalog import any_names_due, last_survey
from db.core import Database
from db.errors import DatabaseUnavailable
from db.reports import overview
from db.vocabulary import FileState
from worker.exits import Exit
from worker.inbox.rescan import everything_known
from worker.inbox.walk import WalkSummary
from worker.parts.part_exits import exit_for
from worker.settings import Settings
from worker.station.part import StationPart

_HOPELESS: Final = 6
"""Number of exits of a part, with no file ending meanwhile, after which the station gives up."""

_log = structlog.get_logger()


class IdleGoal:
    """Every file in the inbox has ended, and no derivative lacks a name in the outbox.

    A rescan must have ended since `began`, so that files that are gone are marked as gone.
    """

    def __init__(self, settings: Settings, database: Database, began: dt.datetime) -> None:
        self._settings, self._database, self._began = settings, database, began
        self._ended = -1

    def reached(self, parts: Sequence[StationPart]) -> Exit | None:
        """Return the exit code if all files have ended or nothing but a failing part is left, else None."""
        try:
            with self._database.read() as s:
                files, names_due = overview(s, exact=True).files, any_names_due(s)
                last = last_survey(s)
            open_files = files[FileState.QUEUED] + files[FileState.RUNNING] + files[FileState.REGISTERED]
            rescanned = last is not None and last.taken_at >= self._began
            summary = WalkSummary()
            if (
                rescanned
                and not open_files
                and not names_due
                and everything_known(self._database, self._settings.inbox_path, summary)
            ):
                return _exit_after(summary)
            self._note_progress(parts, sum(files.values()) - open_files)
        except (DatabaseUnavailable, OSError) as error:
            _log.warning("waiting", reason=str(error))
        hopeless = [
            part.exits
            for part in parts
            if part.exits_without_progress >= _HOPELESS and part.exits is not None
        ]
        for exits in hopeless:
            _log.error(
                "a part keeps ending and the work cannot finish; the station stops",
                part=exits.part,
                times=exits.times,
                why=exits.summary,
            )
        return exit_for(hopeless) if hopeless else None

    def _note_progress(self, parts: Sequence[StationPart], ended: int) -> None:
        if ended != self._ended:
            self._ended = ended
            for part in parts:
                part.exits_without_progress = 0


def _exit_after(summary: WalkSummary) -> Exit:
    if not summary.refused:
        return Exit.OK
    _log.warning(
        "all files have ended except those in folders that cannot be read; saek status lists the folders",
        folders=len(summary.refused),
    )
    return Exit.INCOMPLETE
