"""The ingester: notices files, waits until they are whole and takes them in; only the record remembers."""

import os
import queue
import threading
import time

import structlog
from watchdog.observers.api import BaseObserver

from db.engine import Database, open_database
from db.errors import DatabaseUnavailable
from db.migrate import require_current
from worker.folders import require_safe_folders
from worker.inbox.ignore import ignored
from worker.inbox.rescan import unknown_entries
from worker.inbox.settle import Look, SettleTracker
from worker.inbox.walk import look
from worker.inbox.watch import start_watching, watch_mode
from worker.intake import Taken, take_in
from worker.library import library_from
from worker.recipes import limits_from, recipe_from
from worker.registration import record_recipe
from worker.settings import Settings

_PAUSE = 0.2
_RETRY = 5.0

_log = structlog.get_logger()


def run_ingest(settings: Settings, stop: threading.Event) -> None:
    """Take in whatever appears in the inbox until `stop` is set.

    A full rescan comes first and then every `rescan_seconds`. What is away is waited for.

    Raises:
        worker.errors.HomeError: the folders are not safe to use.
        db.errors.SchemaOutOfDate: the tables are not those of this release.
        worker.errors.SettingsError, restoration.ModelError: there is no recipe to queue files for.
    """
    require_safe_folders(settings)
    require_current(settings.database_address())
    database = open_database(settings.database_address())
    recipe = recipe_from(settings)
    with database.begin() as s:
        recipe_id = record_recipe(s, recipe, library_from(settings))
    _log.info(
        "watching",
        inbox=str(settings.inbox_path),
        mode=watch_mode(settings).value,
        recipe=recipe.fingerprint()[:12],
    )
    ingester = _Ingester(settings, database, recipe_id)
    try:
        while not stop.wait(_PAUSE):
            try:
                ingester.round()
            except (DatabaseUnavailable, OSError) as error:
                _log.warning("waiting", reason=str(error), seconds=_RETRY)
                ingester.rescan_soon()
                stop.wait(_RETRY)
    finally:
        ingester.close()
        database.dispose()


class _Ingester:
    """One round looks at hints, at the inbox when a rescan is due, and at every file that is waited for."""

    def __init__(self, settings: Settings, database: Database, recipe_id: int) -> None:
        self._settings = settings
        self._database = database
        self._recipe_id = recipe_id
        self._limits = limits_from(settings)
        self._root = os.fsencode(settings.inbox_path)
        self._hints: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._tracker = SettleTracker(settings.settle_seconds)
        self._observer: BaseObserver | None = None
        self._next_rescan = time.monotonic()

    def round(self) -> None:
        """Do what is due now. Raises OSError, DatabaseUnavailable."""
        self._watch()
        now = time.monotonic()
        while not self._hints.empty():
            path = self._hints.get()
            if not ignored(path):
                self._tracker.notice(path, now)
        if now >= self._next_rescan:
            waiting = set(self._tracker.waiting())
            for entry in unknown_entries(self._database, self._settings.inbox_path):
                if entry.path not in waiting:
                    self._tracker.notice(entry.path, now)
            self._next_rescan = time.monotonic() + self._settings.rescan_seconds
        for path in self._tracker.waiting():
            self._look_at(path)

    def rescan_soon(self) -> None:
        """Have the next round begin with a rescan, since a file may have been dropped by a failure."""
        self._next_rescan = time.monotonic()

    def close(self) -> None:
        """Stop the observer."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=5)

    def _watch(self) -> None:
        if self._observer is not None and not all(e.is_alive() for e in self._observer.emitters):
            _log.warning("the observer ended; a new one is started")
            self.close()
            self._observer = None
            self.rescan_soon()
        if self._observer is None:
            self._observer = start_watching(self._settings, self._hints.put)

    def _look_at(self, path: bytes) -> None:
        entry = look(self._root, path)
        seen = None if entry is None else Look(entry.size, entry.mtime_ns, entry.inode)
        if self._tracker.look(path, seen, time.monotonic()):
            taken = take_in(
                self._database,
                self._settings.inbox_path,
                path,
                self._recipe_id,
                self._limits,
                hard_links=self._settings.hard_links,
            )
            if taken is Taken.UNSETTLED:
                self._tracker.notice(path, time.monotonic())
