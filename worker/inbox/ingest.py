"""The ingester: finds new files in the inbox, waits until they are complete, and registers them."""

import datetime as dt
import os
import threading
import time
from contextlib import suppress

import structlog

from db.catalog import survey_requested_at
from db.core import Database, open_database
from db.errors import DatabaseError, DatabaseUnavailable
from restoration import MasterUnavailable, Transient, require_storage
from worker.inbox.admission import SlowRead
from worker.inbox.companions import is_companion_file
from worker.inbox.inotify import watch_mode
from worker.inbox.intake import ExaminedFile, Intake, IntakeResult, ReadCancelled
from worker.inbox.long_reads import LargeFile, LongReads
from worker.inbox.rescan import RunningRescan
from worker.inbox.settle import FileStat, SettleTracker
from worker.inbox.survey import SurveyRecorder, is_transient
from worker.inbox.walk import stat_entry
from worker.inbox.watcher import InboxWatcher
from worker.models.library import library_from
from worker.parts.problems import transient_cause
from worker.parts.startup import wait_for_record
from worker.parts.wait_reporter import WaitReporter
from worker.printable import display_path
from worker.recipe_registration import record_recipe
from worker.recipes import limits_from, recipe_from
from worker.settings import Settings
from worker.storage.folders import require_safe_folders
from worker.storage.ignored_names import ignored

_PAUSE = 0.2
_RETRY = 5.0
_SLICE = 0.5  # seconds of one kind of work before the others, and a request to stop, are considered
_REQUEST_SECONDS = 1.0  # seconds between two checks for a requested rescan
_MAX_WAITING = 50_000  # files that are waited for at once; a later rescan finds the others

_log = structlog.get_logger()


def run_ingest(settings: Settings, stop: threading.Event) -> None:
    """Register the files that appear in the inbox until `stop` is set.

    A rescan runs first, then every `rescan_seconds`, and at once when events were lost. Storage and database
    that are away are waited for.

    Raises:
        worker.errors.HomeError: the folders are not safe to use.
        db.errors.SchemaOutOfDate: the tables are not those of this release.
        worker.errors.SettingsError, restoration.ModelError: there is no recipe to queue files for.
    """
    require_safe_folders(settings)
    reporter = WaitReporter(settings, "ingest")
    wait_for_record(settings, reporter, stop)
    if stop.is_set():
        return
    database = open_database(settings.database_address(), patience=settings.lease_seconds)
    recipe = recipe_from(settings)
    with database.begin() as s:
        recipe_id = record_recipe(s, recipe, library_from(settings))
    _log.info(
        "watching",
        inbox=str(settings.inbox_path),
        mode=watch_mode(settings).value,
        recipe=recipe.fingerprint()[:12],
    )
    ingester = _Ingester(settings, database, recipe_id, reporter)
    busy = False
    try:
        while not stop.wait(0 if busy else _PAUSE):
            try:
                busy = ingester.step()
            except (DatabaseUnavailable, Transient, OSError) as error:
                busy = False
                reporter.report(error)
                ingester.restart(keep_watching=isinstance(error, DatabaseUnavailable | PermissionError))
                stop.wait(_RETRY)
    finally:
        reporter.clear()
        ingester.close()
        database.dispose()


class _Ingester:
    """The state of the ingester: each step does a part of what is due."""

    def __init__(
        self, settings: Settings, database: Database, recipe_id: int, reporter: WaitReporter
    ) -> None:
        self._settings = settings
        self._database = database
        self._reporter = reporter
        self._root = os.fsencode(settings.inbox_path)
        self._intake = Intake(
            database, settings.inbox_path, recipe_id, limits_from(settings), settings.hard_links
        )
        self._long_reads = LongReads(self._intake)
        self._watcher = InboxWatcher(settings)
        self._tracker = SettleTracker(settings.settle_seconds)
        self._survey = SurveyRecorder(database)
        self._failing: set[bytes] = set()
        self._rescan: RunningRescan | None = None
        self._next_rescan = time.monotonic()
        self._first_rescan = True
        self._rescanned = False
        self._next_request_check = 0.0
        self._last_request: dt.datetime | None = None

    def step(self) -> bool:
        """Do some of what is due now; return whether there is more.

        Raises OSError, DatabaseUnavailable, restoration.Transient.
        """
        self._collect_long_reads()
        self._check_rescan_request()
        if self._watcher.refresh(rescan_running=self._rescan is not None):
            self._restart_rescan()
        self._collect_hints()
        more = self._continue_rescan()
        more |= self._check_waiting_files()
        self._survey.update_remaining(self._waiting())
        if not self._failing and (self._rescanned or self._full()):
            self._reporter.clear()
        return more

    def restart(self, *, keep_watching: bool) -> None:
        """Begin a new rescan after a failure, which may have dropped a file; or also watch again."""
        self._restart_rescan()
        if not keep_watching:
            self._watcher.restart()

    def close(self) -> None:
        """Stop watching and cancel the reads that are running."""
        with suppress(DatabaseError):
            self._survey.update_remaining(self._waiting())
        self._long_reads.stop()
        self._watcher.stop()
        self._long_reads.close()

    def _waiting(self) -> int:
        return len(self._tracker) + len(self._long_reads)

    def _full(self) -> bool:
        return self._waiting() >= _MAX_WAITING

    def _check_rescan_request(self) -> None:
        """Begin a rescan at once if somebody requested it, as `saek retry` does."""
        now = time.monotonic()
        if now < self._next_request_check:
            return
        self._next_request_check = now + _REQUEST_SECONDS
        with self._database.read() as s:
            request = survey_requested_at(s)
        if request != self._last_request:
            self._last_request, self._next_rescan = request, 0.0

    def _collect_hints(self) -> None:
        if self._watcher.events_lost():
            self._next_rescan = 0.0
        if self._watcher.limit_reached():
            self._next_rescan = min(self._next_rescan, time.monotonic() + self._settings.poll_seconds)
        now = time.monotonic()
        for path in self._watcher.hints():
            if ignored(path) or is_companion_file(path.rpartition(b"/")[2]) or path in self._long_reads:
                continue
            if not self._full() or path in self._tracker:
                self._tracker.notice(path, now)
            else:
                self._next_rescan = 0.0

    def _restart_rescan(self) -> None:
        duration = 0.0 if self._rescan is None else self._rescan.seconds
        self._rescan, self._rescanned = None, False
        self._next_rescan = time.monotonic() + duration  # a rescan that failed late is not retried at once

    def _continue_rescan(self) -> bool:
        now = time.monotonic()
        if self._rescan is None:
            if now < self._next_rescan or self._full():
                return False
            self._rescan = RunningRescan(self._database, self._settings)
            self._next_rescan = float("inf")  # until this one has ended, or events are lost meanwhile
        while not self._full():
            page = self._rescan.step()
            if page is None:
                self._finish_rescan(self._rescan)
                return False
            for entry in page.unknown:
                if entry.path not in self._tracker and entry.path not in self._long_reads:
                    self._tracker.notice(entry.path, now)
                    self._rescan.noticed += 1
            if time.monotonic() - now > _SLICE:
                return True
        return False

    def _finish_rescan(self, rescan: RunningRescan) -> None:
        record = self._survey.record(
            rescan.summary, rescan.files, rescan.new + rescan.changed, rescan.seconds
        )
        soon = not self._watcher.complete or any(map(is_transient, rescan.summary.refused.values()))
        pause = self._settings.poll_seconds if soon else self._settings.rescan_seconds
        self._next_rescan = min(self._next_rescan, time.monotonic() + max(pause, rescan.seconds))
        log = _log.info if self._first_rescan or rescan.noticed or rescan.gone else _log.debug
        log(
            "the inbox was scanned",
            files=rescan.files,
            new=rescan.new,
            changed=rescan.changed,
            gone=rescan.gone,
            seconds=round(rescan.seconds, 2),
            sidecars=record.sidecars,
            conflict_copies=record.conflict_copies,
            not_read=record.refused_folders,
        )
        self._first_rescan, self._rescan, self._rescanned = False, None, True

    def _check_waiting_files(self) -> bool:
        began = time.monotonic()
        for path in self._tracker.waiting():
            self._check_file(path)
            if time.monotonic() - began > _SLICE:
                return True
        return False

    def _check_file(self, path: bytes) -> None:
        """Register a file once it is complete."""
        try:
            entry = stat_entry(self._root, path)
        except OSError as error:
            self._tracker.forget(path)  # a folder above it is not readable, which the rescan reports
            try:
                require_storage(error, self._settings.inbox_path)
            except MasterUnavailable as cause:
                self._retry_later(path, cause)
            return
        stat = None if entry is None else FileStat(entry.size, entry.mtime_ns, entry.inode)
        if self._tracker.is_settled(path, stat, time.monotonic()):
            self._register(path)
        elif entry is None:
            self._failing.discard(path)

    def _register(self, path: bytes) -> None:
        """Register a complete file, or leave a slow one to the threads for long reads."""
        try:
            examined = self._intake.examine(path, quickly=True)
            if not isinstance(examined, ExaminedFile):
                self._registered(path, examined)
            elif examined.small:
                self._registered(path, self._intake.register(examined))
            else:
                self._long_reads.register(examined)
        except SlowRead:
            self._long_reads.examine(path)
        except Exception as error:  # noqa: BLE001  (a failure of one file must not hold up the others)
            self._failed(path, error)

    def _collect_long_reads(self) -> None:
        for finished in self._long_reads.finished():
            match finished.outcome:
                case IntakeResult():
                    self._registered(finished.path, finished.outcome)
                case LargeFile():
                    self._long_reads.register(finished.outcome.file)
                case ReadCancelled():
                    pass
                case error:
                    self._failed(finished.path, error)

    def _registered(self, path: bytes, result: IntakeResult) -> None:
        self._failing.discard(path)
        if result is IntakeResult.UNSETTLED:
            self._tracker.notice(path, time.monotonic())

    def _failed(self, path: bytes, error: Exception) -> None:
        """Retry a file later. Raises what concerns the record as a whole."""
        if isinstance(error, DatabaseError):
            self._tracker.notice(path, time.monotonic())
            raise error
        if transient_cause(error) is None and path not in self._failing:
            _log.error(
                "a file can be neither registered nor quarantined", file=display_path(path), exc_info=error
            )
        self._retry_later(path, error)

    def _retry_later(self, path: bytes, error: Exception) -> None:
        self._failing.add(path)
        self._reporter.report(error)
        self._tracker.notice(path, time.monotonic())
