"""The ingester: notices files, waits until they are whole and takes them in; only the record remembers."""

import errno
import os
import queue
import threading
import time

import structlog
from watchdog.observers.api import BaseObserver

from db.engine import Database, open_database
from db.errors import DatabaseUnavailable
from db.migrate import require_current
from restoration import Transient
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
from worker.waiting import Teller

_TOO_MANY_WATCHES = {errno.ENOSPC, errno.EMFILE}
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
    teller = Teller(settings, "ingest")
    _await_database(settings, stop, teller)
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
    ingester = _Ingester(settings, database, recipe_id, teller)
    try:
        while not stop.wait(_PAUSE):
            try:
                ingester.round()
            except (DatabaseUnavailable, Transient, OSError) as error:
                teller.waits(error)
                ingester.begin_anew(watching=isinstance(error, DatabaseUnavailable))
                stop.wait(_RETRY)
    finally:
        teller.goes_on()
        ingester.close()
        database.dispose()


def _await_database(settings: Settings, stop: threading.Event, teller: Teller) -> None:
    while not stop.is_set():
        try:
            require_current(settings.database_address(), patience=settings.lease_seconds)
        except DatabaseUnavailable as error:
            teller.waits(error)
            stop.wait(_RETRY)
        else:
            return


class _Ingester:
    """One round looks at hints, at the inbox when a rescan is due, and at every file that is waited for."""

    def __init__(self, settings: Settings, database: Database, recipe_id: int, teller: Teller) -> None:
        self._settings = settings
        self._database = database
        self._recipe_id = recipe_id
        self._teller = teller
        self._failing: set[bytes] = set()
        self._limits = limits_from(settings)
        self._root = os.fsencode(settings.inbox_path)
        self._hints: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._tracker = SettleTracker(settings.settle_seconds)
        self._observer: BaseObserver | None = None
        self._next_rescan = time.monotonic()
        self._deaf_until = 0.0

    def round(self) -> None:
        """Do what is due now. Raises OSError, DatabaseUnavailable, restoration.Transient."""
        self._watch()
        now = time.monotonic()
        while not self._hints.empty():
            path = self._hints.get()
            if not ignored(path):
                self._tracker.notice(path, now)
        if now >= self._next_rescan:
            waiting = set(self._tracker.waiting())
            for entry in unknown_entries(self._database, self._settings):
                if entry.path not in waiting:
                    self._tracker.notice(entry.path, now)
            deaf = self._observer is None
            pause = self._settings.poll_seconds if deaf else self._settings.rescan_seconds
            self._next_rescan = time.monotonic() + pause
        for path in self._tracker.waiting():
            self._look_at(path)
        if not self._failing:
            self._teller.goes_on()

    def begin_anew(self, *, watching: bool) -> None:
        """Have the next round begin with a rescan, since a file may have been dropped by a failure.

        Unless it is still being watched, the inbox gets a new observer: mounted again it is another folder.
        """
        self._next_rescan = time.monotonic()
        if not watching:
            self.close()
            self._observer = None

    def close(self) -> None:
        """Stop the observer."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=5)

    def _watch(self) -> None:
        if self._observer is not None and not all(e.is_alive() for e in self._observer.emitters):
            _log.warning("the observer ended; a new one is started")
            self.begin_anew(watching=False)
        if self._observer is not None or time.monotonic() < self._deaf_until:
            return
        try:
            self._observer = start_watching(self._settings, self._hints.put)
        except OSError as error:
            if error.errno not in _TOO_MANY_WATCHES:
                raise
            self._deaf_until = time.monotonic() + self._settings.rescan_seconds
            _log.warning(
                "the kernel lets no more folders be watched; rescans find what it cannot tell",
                reason=str(error),
                remedy="saek doctor tells which sysctl raises the limit",
                seconds=self._settings.poll_seconds,
            )

    def _look_at(self, path: bytes) -> None:
        entry = look(self._root, path)
        seen = None if entry is None else Look(entry.size, entry.mtime_ns, entry.inode)
        if self._tracker.look(path, seen, time.monotonic()):
            self._take_in(path)
        elif entry is None:
            self._failing.discard(path)

    def _take_in(self, path: bytes) -> None:
        """Take a settled file in; one whose storage fails is waited for, and the others go on."""
        try:
            taken = take_in(
                self._database,
                self._settings.inbox_path,
                path,
                self._recipe_id,
                self._limits,
                hard_links=self._settings.hard_links,
            )
        except Transient as error:
            self._failing.add(path)
            self._teller.waits(error)
            self._tracker.notice(path, time.monotonic())
            return
        self._failing.discard(path)
        if taken is Taken.UNSETTLED:
            self._tracker.notice(path, time.monotonic())
