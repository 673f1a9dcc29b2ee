"""The ingester waits for storage that is away, reports it, and continues."""

import errno
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from watchdog.observers import inotify_c

from db.catalog.files import list_files
from db.core.engine import Database
from db.vocabulary import FileState
from worker.inbox.ingest import run_ingest
from worker.parts.wait_reporter import waiting_parts
from worker.settings import Settings

Ingesting = Callable[..., AbstractContextManager[None]]
Eventually = Callable[..., None]


def states(database: Database) -> dict[str, FileState]:
    with database.read() as s:
        return {row.display: row.state for row in list_files(s)}


def waits(settings: Settings) -> list[str]:
    return [wait.code for wait in waiting_parts(settings)]


def test_a_file_on_failing_storage_holds_up_no_other(
    ingesting: Ingesting,
    eventually: Eventually,
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, sound = os.open, threading.Event()

    def open_or_fail(path: Any, *words: Any, **more: Any) -> int:
        if not sound.is_set() and Path(os.fsdecode(path)).name == "stale.tif":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, *words, **more)

    monkeypatch.setattr("restoration.masters.safe_open.os.open", open_or_fail)
    for name in ("stale.tif", "z.tif"):
        tifffile.imwrite(settings.inbox_path / name, np.full((64, 64), len(name), np.uint8))
    with ingesting(settings):
        eventually(lambda: states(database) == {"z.tif": FileState.QUEUED}, "the sound file")
        eventually(lambda: waits(settings) == ["master-unavailable"], "the wait")
        sound.set()
        eventually(lambda: states(database).get("stale.tif") is FileState.QUEUED, "the other file")
        eventually(lambda: waits(settings) == [], "the end of the wait")
    assert waits(settings) == []


def test_an_inbox_that_is_not_there_is_waited_for(
    ingesting: Ingesting,
    eventually: Eventually,
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.inbox.ingest._RETRY", 0.2)
    settings.inbox_path.rmdir()
    with ingesting(settings):
        eventually(lambda: waits(settings) != [], "the wait")
        settings.inbox_path.mkdir(mode=0o755)
        tifffile.imwrite(settings.inbox_path / "a.tif", np.zeros((64, 64), np.uint8))
        eventually(lambda: states(database) == {"a.tif": FileState.QUEUED}, "the file")
        eventually(lambda: waits(settings) == [], "the end of the wait")


@pytest.mark.parametrize("unwatched", ["", "b"])
def test_beyond_the_watch_limit_rescans_find_the_files(
    settings: Settings,
    database: Database,
    ingesting: Ingesting,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    unwatched: str,
) -> None:
    """watchdog itself tells only of a root that is not watched."""
    (settings.inbox_path / "b").mkdir()
    refuse_watches(monkeypatch, settings.inbox_path / unwatched)
    with ingesting(settings, poll_seconds=0.2, rescan_seconds=3600):
        time.sleep(1)
        scan(settings.inbox_path / "b" / "a.tif")
        eventually(lambda: states(database) == {"b/a.tif": FileState.QUEUED}, "the file")


def test_an_observer_that_could_not_start_leaves_no_queue_behind(
    settings: Settings,
    database: Database,
    ingesting: Ingesting,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refuse_watches(monkeypatch, settings.inbox_path)
    before = queues()
    with ingesting(settings, poll_seconds=0.2, rescan_seconds=0.5):
        time.sleep(2)  # the observer is tried again each time
        assert queues() == before


def refuse_watches(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have the kernel's limit of watches be reached at a folder."""
    real = inotify_c.inotify_add_watch

    def watch(queue: int, path: bytes, mask: int) -> int:
        if os.fsdecode(path) == str(folder):
            inotify_c.ctypes.set_errno(errno.ENOSPC)
            return -1
        return int(real(queue, path, mask))

    monkeypatch.setattr(inotify_c, "inotify_add_watch", watch)


def queues() -> int:
    """How many queues of events this process has open."""
    held = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum("inotify" in str(target) for target in held)


def scan(path: Path, seed: int = 0) -> None:
    tifffile.imwrite(path, np.full((64, 64), seed % 256, np.uint8), software=str(seed))


def test_an_order_to_stop_is_heeded_between_two_files(
    settings: Settings, database: Database, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inbox.ingest._SLICE", 0)
    for number in range(200):
        scan(settings.inbox_path / f"{number}.tif", number)
    stop = threading.Event()
    settings = settings.model_copy(update={"settle_seconds": 0.1})
    ingester = threading.Thread(target=run_ingest, args=(settings, stop))
    ingester.start()
    try:
        eventually(lambda: states(database), "the first file")
    finally:
        stop.set()
        ingester.join(20)
    assert not ingester.is_alive()
    assert len(states(database)) < 200


def test_more_files_than_are_waited_for_at_once_are_all_taken_in(
    settings: Settings,
    database: Database,
    ingesting: Ingesting,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.inbox.ingest._MAX_WAITING", 3)
    monkeypatch.setattr("worker.inbox.rescan._PAGE", 2)
    for number in range(10):
        scan(settings.inbox_path / f"{number}.tif", number)
    with ingesting(settings, rescan_seconds=3600):
        eventually(lambda: len(states(database)) == 10, "those that were there")
        for number in range(10, 30):
            scan(settings.inbox_path / f"{number}.tif", number)
        eventually(lambda: len(states(database)) == 30, "those that came")
