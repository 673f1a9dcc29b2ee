"""How hints of new files arrive: inotify where the kernel tells, polling where it does not."""

import os
from collections.abc import Callable
from pathlib import Path

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

from worker.inbox.walk import walk
from worker.settings import Settings, Watch

SILENT_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse", "ncpfs", "nfs", "nfs4", "smb2", "smb3", "smbfs"}
)
"""Kinds of file system on which the kernel does not tell of changes that other machines make."""

_TELLING = (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
)


def start_watching(settings: Settings, hint: Callable[[bytes], None]) -> BaseObserver:
    """Start an observer thread that calls `hint` with the path, relative to the inbox, of each file that stirs.

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
    """Return INOTIFY or POLLING: as set, or by the kind of file system that holds the inbox."""
    if settings.watch is not Watch.AUTO:
        return settings.watch
    kind = file_system(settings.inbox_path)
    silent = kind in SILENT_FILE_SYSTEMS or kind.startswith("fuse.")
    return Watch.POLLING if silent else Watch.INOTIFY


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """Return the kind of file system that holds `path` ("ext4", "nfs4"...), "" where it cannot be told."""
    if not mounts.exists():
        return ""
    target = path.resolve()
    best, kind = -1, ""
    for line in mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        fields, _, rest = line.partition(" - ")
        point = Path(fields.split()[4].encode("latin-1", "surrogateescape").decode("unicode_escape"))
        if (target == point or point in target.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split()[0]
    return kind


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
