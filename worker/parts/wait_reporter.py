"""The wait reporter: what the parts of this host wait for, for `saek status` and `saek doctor`.

The record cannot say that the database itself is away, and the broker cannot say it of itself.
"""

import contextlib
import datetime as dt
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from db.core import open_database
from db.errors import DatabaseError
from db.reports import WaitingJobs, waits_for_causes
from worker.parts.run_files import replace_run_file
from worker.settings import Settings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class WaitingPart:
    """A part of the station that waits: the cause, since when, and the remedy."""

    part: str
    pid: int
    code: str
    reason: str
    remedy: str
    since: dt.datetime


class WaitReporter:
    """Reports what one part waits for, in the log and in a file; only in the log if there can be no file."""

    def __init__(self, settings: Settings, part: str) -> None:
        self._part = part
        self._path = _folder(settings) / f"{part}-{os.getpid()}.json"
        self._wait: WaitingPart | None = None

    def report(self, error: Exception) -> None:
        """Report that the part waits; log it if the cause is new."""
        code = getattr(error, "code", type(error).__name__)
        reason = getattr(error, "reason", None) or str(error)
        remedy = getattr(error, "remedy", None) or "fix the cause; work continues automatically"
        before = self._wait
        same = before is not None and before.code == code
        since = before.since if before is not None and same else dt.datetime.now(dt.UTC)
        wait = WaitingPart(self._part, os.getpid(), code, reason, remedy, since)
        if not same:
            _log.warning("waiting", part=self._part, code=code, reason=reason, remedy=remedy)
        if wait != before:
            self._write(wait)
        self._wait = wait

    def clear(self) -> None:
        """Report that the wait is over, if there was one."""
        if self._wait is None:
            return
        waited = dt.datetime.now(dt.UTC) - self._wait.since
        _log.info(
            "continues", part=self._part, after=self._wait.code, seconds=round(waited.total_seconds(), 1)
        )
        self._wait = None
        with contextlib.suppress(OSError):
            self._path.unlink()

    @property
    def code(self) -> str | None:
        """The code of the current cause, None while nothing is waited for."""
        return self._wait.code if self._wait else None

    def _write(self, wait: WaitingPart) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_run_file(self._path, json.dumps({**asdict(wait), "since": wait.since.isoformat()}))
        except OSError as error:
            _log.debug("the wait cannot be reported in a file", reason=str(error))


def waiting_parts(settings: Settings) -> list[WaitingPart]:
    """Return the parts of this host that wait, longest first; files of dead processes are removed."""
    found = []
    for path in _folder(settings).glob("*.json"):
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
            wait = WaitingPart(**{**entry, "since": dt.datetime.fromisoformat(entry["since"])})
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if Path(f"/proc/{wait.pid}").exists():
            found.append(wait)
        else:
            path.unlink(missing_ok=True)
    return sorted(found, key=lambda wait: wait.since)


def waiting_parts_and_jobs(settings: Settings) -> tuple[list[WaitingPart], list[WaitingJobs]]:
    """Return the parts of this host that wait, and the waits of queued jobs if the record answers."""
    parts = waiting_parts(settings)
    if settings.database_url is None and not (settings.home / "saek.db").exists():
        return parts, []  # opening it would create an empty file
    try:
        database = open_database(settings.database_address())
        try:
            with database.read() as s:
                return parts, waits_for_causes(s)
        finally:
            database.dispose()
    except DatabaseError:  # reported by the check of the database
        return parts, []


def _folder(settings: Settings) -> Path:
    return settings.run_path / "waits"
