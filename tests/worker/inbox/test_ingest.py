"""The ingester waits for what is away, tells of it, and goes on."""

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from db.engine import Database
from db.files import files
from db.vocabulary import FileState
from worker.inbox.ingest import run_ingest
from worker.settings import Settings
from worker.waiting import parts_that_wait


@contextmanager
def ingesting(settings: Settings) -> Iterator[None]:
    stop = threading.Event()
    settings = settings.model_copy(update={"settle_seconds": 0.1, "rescan_seconds": 1.0})
    thread = threading.Thread(target=run_ingest, args=(settings, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def await_that(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def states(database: Database) -> dict[str, FileState]:
    with database.read() as s:
        return {row.display: row.state for row in files(s)}


def waits(settings: Settings) -> list[str]:
    return [wait.code for wait in parts_that_wait(settings)]


def test_a_file_whose_storage_fails_is_waited_for_while_others_go_on(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sound = os.open, threading.Event()

    def open_or_fail(path: Any, *words: Any, **more: Any) -> int:
        if not sound.is_set() and Path(os.fsdecode(path)).name == "stale.tif":
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(path, *words, **more)

    monkeypatch.setattr("restoration.opening.os.open", open_or_fail)
    for name in ("stale.tif", "z.tif"):
        tifffile.imwrite(settings.inbox_path / name, np.full((64, 64), len(name), np.uint8))
    with ingesting(settings):
        await_that(lambda: states(database) == {"z.tif": FileState.QUEUED}, "the sound file")
        await_that(lambda: waits(settings) == ["master-unavailable"], "the wait")
        sound.set()
        await_that(lambda: states(database).get("stale.tif") is FileState.QUEUED, "the other file")
        await_that(lambda: waits(settings) == [], "the end of the wait")
    assert waits(settings) == []


def test_an_inbox_that_is_not_there_is_waited_for(settings: Settings, database: Database) -> None:
    settings.inbox_path.rmdir()
    with ingesting(settings):
        await_that(lambda: waits(settings) != [], "the wait")
        settings.inbox_path.mkdir(mode=0o755)
        tifffile.imwrite(settings.inbox_path / "a.tif", np.zeros((64, 64), np.uint8))
        await_that(lambda: states(database) == {"a.tif": FileState.QUEUED}, "the file")
        await_that(lambda: waits(settings) == [], "the end of the wait")


def test_where_the_kernel_watches_no_more_folders_rescans_find_the_files(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr("worker.inbox.ingest.start_watching", refuse)
    settings = settings.model_copy(update={"poll_seconds": 0.2})
    with ingesting(settings):
        time.sleep(1)
        tifffile.imwrite(settings.inbox_path / "a.tif", np.zeros((64, 64), np.uint8))
        await_that(lambda: states(database) == {"a.tif": FileState.QUEUED}, "the file")
