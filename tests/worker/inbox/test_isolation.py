"""A file that is slow or fails unexpectedly holds up no other file."""

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
from sqlalchemy.exc import DataError

import worker.inbox.admission
import worker.inbox.intake
from db.catalog.files import FileRow, list_files
from db.catalog.selection import Selection
from db.core.engine import Database, open_database
from db.migrations.runner import upgrade
from db.queue.commands import retry
from db.vocabulary import FileState
from restoration import Limits, ReaderFailed
from worker.inbox.intake import IntakeResult, register_file
from worker.settings import Settings

Ingesting = Callable[..., AbstractContextManager[None]]
Eventually = Callable[..., None]

BOTH = pytest.mark.parametrize(
    "settings", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture
def database(settings: Settings) -> Any:
    upgrade(settings.database_address())
    database = open_database(settings.database_address())
    yield database
    database.dispose()


def rows(database: Database) -> dict[str, FileRow]:
    with database.read() as s:
        return {row.display: row for row in list_files(s)}


def scan(path: Path, seed: int = 0) -> None:
    tifffile.imwrite(path, np.full((64, 64), seed % 256, np.uint8), software=str(seed))


@BOTH
def test_whatever_one_file_does_is_its_quarantine(
    settings: Settings,
    database: Database,
    ingesting: Ingesting,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = worker.inbox.intake.register

    def register(s: Any, seen: Any, *words: Any, **more: Any) -> Any:
        if seen.display == "odd.tif":
            raise DataError("INSERT", {}, ValueError("integer out of range"))
        return real(s, seen, *words, **more)

    monkeypatch.setattr("worker.inbox.intake.register", register)
    for seed, name in enumerate(("odd.tif", "z.tif")):
        scan(settings.inbox_path / name, seed)
    with ingesting(settings):
        eventually(lambda: len(rows(database)) == 2, "both files")
        odd, sound = rows(database)["odd.tif"], rows(database)["z.tif"]
    assert sound.state is FileState.QUEUED
    assert (odd.state, odd.code) == (FileState.QUARANTINED, "intake-failed")
    assert odd.reason == "an unexpected error ended its intake (DataError)"
    assert odd.remedy
    assert "saek retry" in odd.remedy


def test_a_file_that_cannot_be_quarantined_holds_up_no_other(
    settings: Settings,
    database: Database,
    ingesting: Ingesting,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = worker.inbox.intake.quarantine_sighting
    sound = threading.Event()

    def quarantine(s: Any, seen: Any, *words: Any) -> Any:
        if not sound.is_set():
            raise DataError("INSERT", {}, ValueError("whatever"))
        return real(s, seen, *words)

    monkeypatch.setattr("worker.inbox.intake.quarantine_sighting", quarantine)
    (settings.inbox_path / "a.tif").touch()
    scan(settings.inbox_path / "z.tif")
    with ingesting(settings):
        eventually(lambda: set(rows(database)) == {"z.tif"}, "the sound file")
        sound.set()
        eventually(lambda: "a.tif" in rows(database), "the other, when it can be told")


def test_a_header_that_takes_long_is_read_beside_the_others(
    settings: Settings,
    database: Database,
    ingesting: Ingesting,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, done = worker.inbox.admission.identify, threading.Event()

    def identify(path: Path, limits: Limits, reader: Any = None) -> Any:
        if path.name == "slow.tif":
            if reader is None:
                raise ReaderFailed(reason="it came no further", remedy="scan it again", path=path)
            assert done.wait(30)
        return real(path, limits, reader)

    monkeypatch.setattr("worker.inbox.admission.identify", identify)
    for seed, name in enumerate(("slow.tif", "z.tif")):
        scan(settings.inbox_path / name, seed)
    with ingesting(settings):
        eventually(lambda: set(rows(database)) == {"z.tif"}, "the quick file")
        done.set()
        eventually(lambda: set(rows(database)) == {"slow.tif", "z.tif"}, "the slow one")


def test_a_large_file_is_recorded_after_the_small_ones(
    settings: Settings,
    database: Database,
    ingesting: Ingesting,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.inbox.intake.MAX_SMALL_BYTES", 10_000)
    tifffile.imwrite(settings.inbox_path / "large.tif", np.zeros((200, 200), np.uint8))
    scan(settings.inbox_path / "small.tif")
    with ingesting(settings):
        eventually(lambda: len(rows(database)) == 2, "both")
    assert {row.state for row in rows(database).values()} == {FileState.QUEUED}
    assert len({row.scan_id for row in rows(database).values()}) == 2


def test_what_is_large_and_no_picture_is_never_read_to_its_end(
    settings: Settings, database: Database, recipe_id: int
) -> None:
    path = settings.inbox_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(2 << 40)
    began = time.monotonic()
    taken = register_file(database, settings.inbox_path, b"disk.img", recipe_id, Limits())
    assert time.monotonic() - began < 60
    row = rows(database)["disk.img"]
    assert (taken, row.code, row.scan_id) == (IntakeResult.QUARANTINED, "not-an-image", None)


@BOTH
def test_retry_has_the_inbox_looked_through_at_once(
    settings: Settings, database: Database, ingesting: Ingesting, eventually: Eventually
) -> None:
    path = settings.inbox_path / "a.tif"
    scan(path)
    os.link(
        path, settings.home / "second name"
    )  # refused, and what is done about it does not show in the file
    with ingesting(settings, rescan_seconds=3600):
        eventually(lambda: "a.tif" in rows(database), "the refusal")
        assert rows(database)["a.tif"].code == "unsafe-file"
        (settings.home / "second name").unlink()
        time.sleep(1)
        assert rows(database)["a.tif"].state is FileState.QUARANTINED
        with database.begin() as s:
            retry(s, Selection(states=(FileState.QUARANTINED,)), "kim")
        eventually(lambda: rows(database)["a.tif"].state is FileState.QUEUED, "the second look", 15)
