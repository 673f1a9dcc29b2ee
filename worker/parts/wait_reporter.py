"""What the parts on this host wait for, told to `saek status` and `saek doctor` by a small file each.

The record cannot tell that the database is away, nor the broker that it is itself.
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
    """A part of the station that waits: for what, since when, and what ends the wait."""

    part: str
    pid: int
    code: str
    reason: str
    remedy: str
    since: dt.datetime


class WaitReporter:
    """Tells what one part waits for, in the log and in its file; where that cannot be written, in the log."""

    def __init__(self, settings: Settings, part: str) -> None:
        self._part = part
        self._path = _folder(settings) / f"{part}-{os.getpid()}.json"
        self._told: WaitingPart | None = None

    def report(self, error: Exception) -> None:
        """Tell that the part waits, and log it when it is news."""
        code = getattr(error, "code", type(error).__name__)
        reason = getattr(error, "reason", None) or str(error)
        remedy = getattr(error, "remedy", None) or "see to it; work goes on by itself"
        before = self._told
        same = before is not None and before.code == code
        since = before.since if before is not None and same else dt.datetime.now(dt.UTC)
        told = WaitingPart(self._part, os.getpid(), code, reason, remedy, since)
        if not same:
            _log.warning("waiting", part=self._part, code=code, reason=reason, remedy=remedy)
        if told != before:
            self._write(told)
        self._told = told

    def clear(self) -> None:
        """Tell that the wait is over, if there was one."""
        if self._told is None:
            return
        waited = dt.datetime.now(dt.UTC) - self._told.since
        _log.info("goes on", part=self._part, after=self._told.code, seconds=round(waited.total_seconds(), 1))
        self._told = None
        with contextlib.suppress(OSError):
            self._path.unlink()

    @property
    def code(self) -> str | None:
        """The code of what is waited for now."""
        return self._told.code if self._told else None

    def _write(self, told: WaitingPart) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_run_file(self._path, json.dumps({**asdict(told), "since": told.since.isoformat()}))
        except OSError as error:
            _log.debug("what is waited for cannot be told", reason=str(error))


def waiting_parts(settings: Settings) -> list[WaitingPart]:
    """Return what the parts of this host wait for, longest first; what a dead process left is passed over."""
    found = []
    for path in _folder(settings).glob("*.json"):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            wait = WaitingPart(**{**told, "since": dt.datetime.fromisoformat(told["since"])})
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if Path(f"/proc/{wait.pid}").exists():
            found.append(wait)
        else:
            path.unlink(missing_ok=True)
    return sorted(found, key=lambda wait: wait.since)


def waiting_parts_and_jobs(settings: Settings) -> tuple[list[WaitingPart], list[WaitingJobs]]:
    """Return what parts of this host wait for, and what queued jobs do, as far as the record can be asked."""
    parts = waiting_parts(settings)
    if settings.database_url is None and not (settings.home / "saek.db").exists():
        return parts, []  # asking would make an empty file
    try:
        database = open_database(settings.database_address())
        try:
            with database.read() as s:
                return parts, waits_for_causes(s)
        finally:
            database.dispose()
    except DatabaseError:  # told by whoever looks after the database
        return parts, []


def _folder(settings: Settings) -> Path:
    return settings.run_path / "waits"
