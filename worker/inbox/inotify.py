"""File events by inotify, whose overflow and limits are reported."""

import errno
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import DEFAULT_OBSERVER_TIMEOUT, BaseObserver
from watchdog.observers.inotify import InotifyEmitter
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

from db.filesystems import network_file_system
from worker.inbox.walk import walk
from worker.settings import Settings, Watch

_EVENTS: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
]
"""The events to subscribe to; those for reads and single writes would only fill the queue."""

_RECURSION_LIMIT = 10_000
"""Recursion limit: up to Python 3.11, os.walk, which watchdog uses, recurses for each of the 2,048 folders
that a path can have."""

TOO_MANY_WATCHES = frozenset({errno.ENOSPC, errno.EMFILE})

# A folder that was moved out stays watched, and is watched once more when it is moved back. That is harmless,
# but watchdog warns with a list of all folders.
warnings.filterwarnings("ignore", "Callback with id .* already exists for watch", RuntimeWarning)


@dataclass(frozen=True, slots=True)
class WatchCallbacks:
    """Functions that an observer calls from its own threads."""

    hint: Callable[[bytes], None]
    """Called with the path of each changed file, relative to the inbox."""
    lost: Callable[[], None]
    """Called when the kernel's queue overflowed and events were lost."""
    unwatched: Callable[[OSError], None]
    """Called when the kernel's limit of watched folders is reached; the others have no events."""


class InboxObserver(BaseObserver):
    """An observer of folders with one inotify queue."""

    def __init__(self, callbacks: WatchCallbacks) -> None:
        self._queue = _Queue(callbacks)
        super().__init__(InotifyEmitter, timeout=DEFAULT_OBSERVER_TIMEOUT, inotify_fd=self._queue)
        self._queue.start()

    def is_healthy(self) -> bool:
        """Return whether all of its threads are alive."""
        return self.is_alive() and self._queue.is_alive() and all(e.is_alive() for e in self.emitters)

    def on_thread_stop(self) -> None:
        """End the threads and close the queue."""
        super().on_thread_stop()
        self._queue.stop()
        self._queue.join()


def start_watching(settings: Settings, callbacks: WatchCallbacks) -> InboxObserver:
    """Start a thread that reports changed files in the inbox.

    Hints may be lost or repeated; rescans make up for that.
    Raises OSError if the kernel's limit of watches is reached.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _RECURSION_LIMIT))
    observer = InboxObserver(callbacks)
    root = settings.inbox_path
    hints = _Hints(os.fsencode(root), callbacks.hint)
    try:
        observer.schedule(hints, str(root), recursive=True, event_filter=_EVENTS)
        observer.start()
    except BaseException:
        observer.stop()
        raise
    return observer


def watch_mode(settings: Settings) -> Watch:
    """Return INOTIFY or POLLING: as set, or by the kind of file system that holds the inbox.

    On a network file system there are no events for changes made by other machines.
    """
    if settings.watch is not Watch.AUTO:
        return settings.watch
    return Watch.POLLING if network_file_system(settings.inbox_path) else Watch.INOTIFY


class _Queue(InotifyFD):
    """The kernel's event queue, with overflow and limits reported; watchdog itself only logs them."""

    def __init__(self, callbacks: WatchCallbacks) -> None:
        super().__init__()
        self._callbacks = callbacks

    def handle_event(self, event: InotifyEvent) -> None:
        super().handle_event(event)  # after an overflow it first watches all folders again
        if event.is_queue_overflow:
            self._callbacks.lost()

    def add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        try:
            return super().add_callback(path, mask, callback, id_)
        except OSError as error:
            if error.errno in TOO_MANY_WATCHES:
                self._callbacks.unwatched(error)
            raise


class _Hints(FileSystemEventHandler):
    def __init__(self, root: bytes, hint: Callable[[bytes], None]) -> None:
        self._root = root
        self._hint = hint

    def on_any_event(self, event: FileSystemEvent) -> None:
        path = os.fsencode(event.dest_path or event.src_path)
        if not path.startswith(self._root + b"/"):
            return
        relative = path[len(self._root) + 1 :]
        if not event.is_directory:
            self._hint(relative)
            return
        try:  # a folder that is moved in has one event for itself
            for entry in walk(self._root, relative):
                self._hint(entry.path)
        except OSError:
            return  # gone again; the rescan finds what is left
