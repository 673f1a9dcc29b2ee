"""The ingester: notices files, waits until they are whole and takes them in; only the record remembers."""

import datetime as dt
import os
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import structlog

from db.catalog import SurveyRecord, record_survey, survey_requested_at
from db.core import Database, open_database
from db.errors import DatabaseError, DatabaseUnavailable
from restoration import MasterUnavailable, Transient, require_storage
from worker.inbox.companions import is_companion_file
from worker.inbox.intake import ExaminedFile, Intake, IntakeResult, ReadCancelled, SlowRead
from worker.inbox.long_reads import LargeFile, LongReads
from worker.inbox.rescan import Step, rescan
from worker.inbox.settle import FileStat, SettleTracker
from worker.inbox.survey import is_transient, store_survey, unreadable_folders
from worker.inbox.walk import WalkSummary, stat_entry
from worker.inbox.watch import TOO_MANY_WATCHES, InboxObserver, WatchCallbacks, start_watching, watch_mode
from worker.models.library import library_from
from worker.parts.startup import wait_for_record
from worker.parts.transient import transient_cause
from worker.parts.wait_reporter import WaitReporter
from worker.printable import display_path
from worker.recipe_registration import record_recipe
from worker.recipes import limits_from, recipe_from
from worker.settings import Settings, Watch
from worker.storage.folders import require_safe_folders
from worker.storage.ignored_names import ignored

_PAUSE = 0.2
_RETRY = 5.0
_SLICE = 0.5  # seconds of one kind of work before the others, and the order to stop, are looked at again
_WISHES = 1.0  # seconds between two looks for a wish that the inbox be looked through
_MOST = 50_000  # files that are waited for at once; a rescan finds the others when their turn has come

_log = structlog.get_logger()


def run_ingest(settings: Settings, stop: threading.Event) -> None:
    """Take in whatever appears in the inbox until `stop` is set.

    A full rescan comes first, then every `rescan_seconds`, and at once when events were lost. What is away is
    waited for.

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
                busy = ingester.round()
            except (DatabaseUnavailable, Transient, OSError) as error:
                busy = False
                reporter.report(error)
                ingester.begin_anew(watching=isinstance(error, DatabaseUnavailable | PermissionError))
                stop.wait(_RETRY)
    finally:
        reporter.clear()
        ingester.close()
        database.dispose()


class _Ingester:
    """One round does some of all that is due: hints, the rescan under way, the files that are waited for."""

    def __init__(
        self, settings: Settings, database: Database, recipe_id: int, reporter: WaitReporter
    ) -> None:
        self._settings = settings
        self._database = database
        self._reporter = reporter
        self._failing: set[bytes] = set()
        self._intake = Intake(
            database, settings.inbox_path, recipe_id, limits_from(settings), settings.hard_links
        )
        self._long = LongReads(self._intake)
        self._root = os.fsencode(settings.inbox_path)
        self._hints: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._lost = threading.Event()
        self._unwatched = threading.Event()
        self._tracker = SettleTracker(settings.settle_seconds)
        self._polls = watch_mode(settings) is Watch.POLLING
        self._observer: InboxObserver | None = None
        self._rescan: _Rescan | None = None
        self._next_rescan = time.monotonic()
        self._first = True
        self._looked_through = False
        self._deaf_until = 0.0
        self._wishes_from = 0.0
        self._wish: dt.datetime | None = None
        self._refused: frozenset[bytes] = frozenset()
        self._survey: SurveyRecord | None = None
        self._counted = 0.0

    def round(self) -> bool:
        """Do some of what is due now; return whether there is more of it.

        Raises OSError, DatabaseUnavailable, restoration.Transient.
        """
        self._heed_what_ended()
        self._heed_wishes()
        self._watch()
        self._heed_hints()
        more = self._go_on_with_rescan()
        more |= self._look_at_waiting()
        self._count_what_is_left()
        if not self._failing and (self._looked_through or self._full()):
            self._reporter.clear()
        return more

    def begin_anew(self, *, watching: bool) -> None:
        """Have a rescan begin, since a file may have been dropped by a failure.

        Unless it is still being watched, the inbox gets a new observer: mounted again it is another folder.
        """
        took = 0.0 if self._rescan is None else self._rescan.seconds
        self._rescan, self._looked_through = None, False
        self._next_rescan = time.monotonic() + took  # what fails late is not tried without a pause
        if not watching:
            self._end_watching()
            self._polls = watch_mode(self._settings) is Watch.POLLING

    def close(self) -> None:
        """Stop the observer, and give up what is being read."""
        with suppress(DatabaseError):
            self._count_what_is_left()
        self._long.stop()
        self._end_watching()
        self._long.close()

    def _end_watching(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join(timeout=5)

    def _watch(self) -> None:
        if self._polls:
            return  # rescans are the looks
        if self._observer is not None and not self._observer.is_healthy():
            _log.warning("the observer ended; a new one is started")
            self.begin_anew(watching=False)
        if time.monotonic() < self._deaf_until:
            return
        if self._unwatched.is_set() and self._rescan is None:  # perhaps all can be watched by now
            self._unwatched.clear()
            self.begin_anew(watching=False)
        if self._observer is not None:
            return
        listener = WatchCallbacks(self._hints.put, self._lost.set, lambda _: self._unwatched.set())
        try:
            self._observer = start_watching(self._settings, listener)
        except OSError as error:
            if error.errno not in TOO_MANY_WATCHES:
                raise
            self._unwatched.set()

    def _heed_hints(self) -> None:
        if self._lost.is_set():
            self._lost.clear()
            _log.warning(
                "events were lost: the kernel's queue overflowed; the inbox is looked through at once"
            )
            self._next_rescan = 0.0
        if self._unwatched.is_set() and time.monotonic() >= self._deaf_until:
            self._deaf_until = time.monotonic() + self._settings.rescan_seconds
            self._next_rescan = min(self._next_rescan, time.monotonic() + self._settings.poll_seconds)
            _log.warning(
                "the kernel lets no more folders be watched; rescans find what it cannot tell",
                remedy="saek doctor tells which sysctl raises the limit",
                seconds=self._settings.poll_seconds,
            )
        now = time.monotonic()
        while not self._hints.empty():
            path = self._hints.get()
            if ignored(path) or is_companion_file(path.rpartition(b"/")[2]) or path in self._long:
                continue
            if not self._full() or path in self._tracker:
                self._tracker.notice(path, now)
            else:
                self._next_rescan = 0.0

    def _go_on_with_rescan(self) -> bool:
        now = time.monotonic()
        if self._rescan is None:
            if now < self._next_rescan or self._full():
                return False
            self._rescan = _Rescan(self._database, self._settings)
            self._next_rescan = float("inf")  # until this one ended, or events are lost meanwhile
        while not self._full():
            step = self._rescan.step()
            if step is None:
                self._end_rescan(self._rescan)
                return False
            for entry in step.unknown:
                if entry.path not in self._tracker and entry.path not in self._long:
                    self._tracker.notice(entry.path, now)
                    self._rescan.news += 1
            if time.monotonic() - now > _SLICE:
                return True
        return False

    def _full(self) -> bool:
        return len(self._tracker) + len(self._long) >= _MOST

    def _end_rescan(self, ended: "_Rescan") -> None:
        record = store_survey(
            self._database, ended.survey, ended.files, ended.new + ended.changed, ended.seconds
        )
        self._survey = record
        self._tell_refusals(ended.survey)
        by_looking = self._polls or self._unwatched.is_set()
        soon = any(map(is_transient, ended.survey.refused.values()))
        pause = self._settings.poll_seconds if by_looking or soon else self._settings.rescan_seconds
        self._next_rescan = min(self._next_rescan, time.monotonic() + max(pause, ended.seconds))
        tell = _log.info if self._first or ended.found_something else _log.debug
        tell(
            "the inbox was looked through",
            **ended.figures(),
            sidecars=record.sidecars,
            conflict_copies=record.conflict_copies,
            not_read=record.refused_folders,
        )
        self._first, self._rescan, self._looked_through = False, None, True

    def _tell_refusals(self, survey: WalkSummary) -> None:
        """Tell once of each folder that cannot be looked into, and when all can be again."""
        before, self._refused = self._refused, frozenset(survey.refused)
        for path, one in zip(sorted(survey.refused), unreadable_folders(survey), strict=False):
            if path not in before:
                _log.warning(
                    "a folder cannot be looked into; the others are",
                    folder=one.display,
                    reason=one.reason,
                    remedy=one.remedy,
                )
        if before and not self._refused:
            _log.info("all folders can be looked into again", folders=len(before))

    def _count_what_is_left(self) -> None:
        """Note how many files of the last look are still to be taken in, until none is."""
        if self._survey is None or not self._survey.unknown:
            return
        left = min(self._survey.unknown, len(self._tracker) + len(self._long))
        now = time.monotonic()
        if left == self._survey.unknown or (left and now < self._counted + _WISHES):
            return
        self._survey, self._counted = replace(self._survey, unknown=left), now
        with self._database.begin() as s:
            record_survey(s, self._survey)

    def _look_at_waiting(self) -> bool:
        began = time.monotonic()
        for path in self._tracker.waiting():
            self._look_at(path)
            if time.monotonic() - began > _SLICE:
                return True
        return False

    def _look_at(self, path: bytes) -> None:
        try:
            entry = stat_entry(self._root, path)
        except OSError as error:
            self._tracker.forget(path)  # a folder on the way to it is out of reach, which the rescan tells
            try:
                require_storage(error, self._settings.inbox_path)
            except MasterUnavailable as cause:
                self._wait_for(path, cause)
            return
        seen = None if entry is None else FileStat(entry.size, entry.mtime_ns, entry.inode)
        if self._tracker.look(path, seen, time.monotonic()):
            self._take_in(path)
        elif entry is None:
            self._failing.discard(path)

    def _take_in(self, path: bytes) -> None:
        """Take a settled file in, or have it taken in by those who take their time."""
        try:
            examined = self._intake.examine(path, quickly=True)
            if not isinstance(examined, ExaminedFile):
                self._took_in(path, examined)
            elif examined.small:
                self._took_in(path, self._intake.register(examined))
            else:
                self._long.read(examined)
        except SlowRead:
            self._long.look_at(path)
        except Exception as error:  # noqa: BLE001  (what one file does must not hold up the others)
            self._failed(path, error)

    def _heed_what_ended(self) -> None:
        for ended in self._long.ended():
            match ended.outcome:
                case IntakeResult():
                    self._took_in(ended.path, ended.outcome)
                case LargeFile():
                    self._long.read(ended.outcome.file)
                case ReadCancelled():
                    pass
                case error:
                    self._failed(ended.path, error)

    def _took_in(self, path: bytes, taken: IntakeResult) -> None:
        self._failing.discard(path)
        if taken is IntakeResult.UNSETTLED:
            self._tracker.notice(path, time.monotonic())

    def _failed(self, path: bytes, error: Exception) -> None:
        """Wait for what kept a file from being taken in. Raises what concerns the record as a whole."""
        if isinstance(error, DatabaseError):
            self._tracker.notice(path, time.monotonic())
            raise error
        if transient_cause(error) is None and path not in self._failing:
            _log.error(
                "a file can be neither taken in nor set aside", file=display_path(path), exc_info=error
            )
        self._wait_for(path, error)

    def _wait_for(self, path: bytes, error: Exception) -> None:
        self._failing.add(path)
        self._reporter.report(error)
        self._tracker.notice(path, time.monotonic())

    def _heed_wishes(self) -> None:
        """FileStat through the inbox at once if somebody asked for it, as `saek retry` does."""
        now = time.monotonic()
        if now < self._wishes_from:
            return
        self._wishes_from = now + _WISHES
        with self._database.read() as s:
            wish = survey_requested_at(s)
        if wish != self._wish:
            self._wish, self._next_rescan = wish, 0.0


class _Rescan:
    """A rescan under way, with what it found so far and the seconds that it took by itself."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.survey = WalkSummary()
        self._steps: Iterator[Step] = rescan(database, settings, self.survey)
        self.seconds = 0.0
        self.news = 0
        """Files that were found and not yet waited for."""
        self.files = self.new = self.changed = self.gone = 0

    @property
    def found_something(self) -> bool:
        """Whether it is worth a word."""
        return bool(self.news or self.gone)

    def step(self) -> Step | None:
        """Go on by one step; return what it found, None at the end. Raises as `rescan`."""
        began = time.perf_counter()
        try:
            step = next(self._steps, None)
        finally:
            self.seconds += time.perf_counter() - began
        if step is not None:
            self.files += step.files
            self.new += len(step.new)
            self.changed += len(step.changed)
            self.gone += step.gone
        return step

    def figures(self) -> dict[str, float]:
        """Return what the log tells."""
        return {
            "files": self.files,
            "new": self.new,
            "changed": self.changed,
            "gone": self.gone,
            "seconds": round(self.seconds, 2),
        }
