"""How hints of new files arrive: inotify where the kernel tells, polling where it does not."""

import os
from collections.abc import Callable

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from db.filesystems import network_file_system
from worker.inbox.walk import walk
from worker.settings import Settings, Watch

_TELLING = (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
)


def start_watching(settings: Settings, hint: Callable[[bytes], None]) -> BaseObserver:
    """Start an observer thread that calls `hint` with the path (below the inbox) of each file that stirs.

    Hints may be lost (the kernel's queue overflows) and repeated; the periodic rescan makes up for both.
    Raises OSError when the kernel's limit of watches is reached.
    """
    observer: BaseObserver
    if watch_mode(settings) is Watch.POLLING:
        observer = PollingObserver(timeout=settings.poll_seconds)
    else:
        observer = Observer()
    root = settings.inbox_path
    observer.schedule(_Hints(os.fsencode(root), hint), str(root), recursive=True)
    observer.start()
    return observer


def watch_mode(settings: Settings) -> Watch:
    """Return INOTIFY or POLLING: as set, or by the kind of file system that holds the inbox.

    On a network file system the kernel does not tell of changes that other machines make.
    """
    if settings.watch is not Watch.AUTO:
        return settings.watch
    return Watch.POLLING if network_file_system(settings.inbox_path) else Watch.INOTIFY


class _Hints(FileSystemEventHandler):
    def __init__(self, root: bytes, hint: Callable[[bytes], None]) -> None:
        self._root = root
        self._hint = hint

    def on_any_event(self, event: FileSystemEvent) -> None:
        if not isinstance(event, _TELLING):
            return
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
