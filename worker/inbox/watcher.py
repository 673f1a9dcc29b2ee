"""The inbox watcher: keeps the inbox watched and collects hints of files that changed."""

import queue
import threading
import time
from collections.abc import Iterator

import structlog

from worker.inbox.inotify import TOO_MANY_WATCHES, InboxObserver, WatchCallbacks, start_watching, watch_mode
from worker.settings import Settings, Watch

_log = structlog.get_logger()


class InboxWatcher:
    """Starts the observer, replaces it when it ends, and knows when its hints are incomplete."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hints: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._lost = threading.Event()
        self._unwatched = threading.Event()
        self._observer: InboxObserver | None = None
        self._polling = watch_mode(settings) is Watch.POLLING
        self._retry_at = 0.0

    @property
    def complete(self) -> bool:
        """True if there are hints for all folders; otherwise frequent rescans are needed."""
        return not self._polling and not self._unwatched.is_set()

    def refresh(self, *, rescan_running: bool) -> bool:
        """Watch the inbox if it is not watched; return whether changes may have been missed meanwhile.

        Raises OSError if it cannot be watched, other than for the kernel's limit.
        """
        if self._polling:
            return False
        missed = False
        if self._observer is not None and not self._observer.is_healthy():
            _log.warning("the file watcher ended; a new one is started")
            self.restart()
            missed = True
        if time.monotonic() < self._retry_at:
            return missed
        if self._unwatched.is_set() and (missed or not rescan_running):  # perhaps the limit was raised
            self._unwatched.clear()
            self.restart()
            missed = True
        if self._observer is None:
            callbacks = WatchCallbacks(self._hints.put, self._lost.set, lambda _: self._unwatched.set())
            try:
                self._observer = start_watching(self._settings, callbacks)
            except OSError as error:
                if error.errno not in TOO_MANY_WATCHES:
                    raise
                self._unwatched.set()
        return missed

    def events_lost(self) -> bool:
        """Return whether events were lost since the last call."""
        if not self._lost.is_set():
            return False
        self._lost.clear()
        _log.warning("events were lost: the kernel's queue overflowed; a rescan begins now")
        return True

    def limit_reached(self) -> bool:
        """Return whether the kernel's limit of watches was reached since the last attempt."""
        if not self._unwatched.is_set() or time.monotonic() < self._retry_at:
            return False
        self._retry_at = time.monotonic() + self._settings.rescan_seconds
        _log.warning(
            "the kernel's limit of watched folders is reached; rescans find the other files",
            remedy="saek doctor names the sysctl that raises the limit",
            seconds=self._settings.poll_seconds,
        )
        return True

    def hints(self) -> Iterator[bytes]:
        """Yield the paths, relative to the inbox, of files that changed since the last call."""
        while not self._hints.empty():
            yield self._hints.get()

    def restart(self) -> None:
        """Have the next `refresh` start a new observer: a folder that was mounted again is another one."""
        self.stop()
        self._polling = watch_mode(self._settings) is Watch.POLLING

    def stop(self) -> None:
        """Stop the observer."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join(timeout=5)
