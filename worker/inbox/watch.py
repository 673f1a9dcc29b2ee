"""How hints of new files arrive by inotify, where the kernel tells, and how it is known when it does not."""

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

_TELLING: list[type[FileSystemEvent]] = [
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
]
"""What is asked of the kernel: reading and each single write would fill its queue and tell nothing more."""

_DEEPEST = 10_000
"""Calls within calls: up to Python 3.11, os.walk, by which watchdog finds folders, needs some for each of the
2,048 folders that a path can lead through."""

TOO_MANY_WATCHES = frozenset({errno.ENOSPC, errno.EMFILE})

# A folder that was moved out is watched on, and once more when it is moved in again: no harm, but watchdog
# warns of it with a list of all folders.
warnings.filterwarnings("ignore", "Callback with id .* already exists for watch", RuntimeWarning)


@dataclass(frozen=True, slots=True)
class WatchCallbacks:
    """Whom an observer tells, from threads of its own."""

    hint: Callable[[bytes], None]
    """Called with the path, below the inbox, of each file that stirs."""
    lost: Callable[[], None]
    """Called when the kernel's queue overflowed: it told of some events no more."""
    unwatched: Callable[[OSError], None]
    """Called when the kernel lets no more folders be watched; what happens in those is not told."""


class InboxObserver(BaseObserver):
    """An observer of folders by one inotify queue, whose overflow and limits are told."""

    def __init__(self, listener: WatchCallbacks) -> None:
        self._queue = _Queue(listener)
        super().__init__(InotifyEmitter, timeout=DEFAULT_OBSERVER_TIMEOUT, inotify_fd=self._queue)
        self._queue.start()

    def is_healthy(self) -> bool:
        """Whether all of its threads are alive."""
        return self.is_alive() and self._queue.is_alive() and all(e.is_alive() for e in self.emitters)

    def on_thread_stop(self) -> None:
        """End the threads and close the queue."""
        super().on_thread_stop()
        self._queue.stop()
        self._queue.join()


def start_watching(settings: Settings, listener: WatchCallbacks) -> InboxObserver:
    """Start a thread that tells the listener what stirs in the inbox.

    Hints may be lost and repeated; rescans make up for both.
    Raises OSError when the kernel's limit of watches is reached.
    """
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _DEEPEST))
    observer = InboxObserver(listener)
    root = settings.inbox_path
    hints = _Hints(os.fsencode(root), listener.hint)
    try:
        observer.schedule(hints, str(root), recursive=True, event_filter=_TELLING)
        observer.start()
    except BaseException:
        observer.stop()
        raise
    return observer


def watch_mode(settings: Settings) -> Watch:
    """Return INOTIFY or POLLING: as set, or by the kind of file system that holds the inbox.

    On a network file system the kernel does not tell of changes that other machines make.
    """
    if settings.watch is not Watch.AUTO:
        return settings.watch
    return Watch.POLLING if network_file_system(settings.inbox_path) else Watch.INOTIFY


class _Queue(InotifyFD):
    """The kernel's queue of events. watchdog itself only logs what is told here."""

    def __init__(self, listener: WatchCallbacks) -> None:
        super().__init__()
        self._listener = listener

    def handle_event(self, event: InotifyEvent) -> None:
        super().handle_event(event)  # after an overflow it watches all folders anew, before anyone looks
        if event.is_queue_overflow:
            self._listener.lost()

    def add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        try:
            return super().add_callback(path, mask, callback, id_)
        except OSError as error:
            if error.errno in TOO_MANY_WATCHES:
                self._listener.unwatched(error)
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
        try:  # a folder that is moved in whole tells of itself only
            for entry in walk(self._root, relative):
                self._hint(entry.path)
        except OSError:
            return  # gone again; the rescan will see what is left
