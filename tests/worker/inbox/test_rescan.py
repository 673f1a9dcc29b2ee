import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from db.engine import Database
from db.files import files
from db.intake import quarantine_sighting, register
from db.values import Problem, ScanRecord, Seen
from restoration import MasterUnavailable
from worker.inbox.rescan import everything_known, unknown_entries
from worker.settings import Settings

Enter = Callable[[str], None]


@pytest.fixture
def inbox(settings: Settings) -> Path:
    return settings.inbox_path


@pytest.fixture
def enter(inbox: Path, database: Database) -> Enter:
    """Put a file on record as it is now."""

    def enter(name: str) -> None:
        with database.begin() as s:
            register(s, seen(inbox, name), ScanRecord("a" * 64, 1), None)

    return enter


def seen(inbox: Path, name: str) -> Seen:
    found = (inbox / name).stat()
    return Seen("inbox", os.fsencode(name), name, "", found.st_size, found.st_mtime_ns, found.st_ino)


def unknown(database: Database, settings: Settings) -> list[bytes]:
    return sorted(entry.path for entry in unknown_entries(database, settings))


def gone(database: Database) -> list[str]:
    with database.read() as s:
        return [row.display for row in files(s) if row.gone]


def test_only_what_is_new_or_changed_is_found(
    inbox: Path, database: Database, settings: Settings, enter: Enter
) -> None:
    for name in ("same.tif", "changed.tif"):
        (inbox / name).write_bytes(b"1")
        enter(name)
    (inbox / "changed.tif").write_bytes(b"12")
    (inbox / "new.tif").write_bytes(b"1")
    assert unknown(database, settings) == [b"changed.tif", b"new.tif"]
    assert not everything_known(database, inbox)


def test_a_file_that_left_is_noted_and_found_again_when_it_is_back(
    inbox: Path, database: Database, settings: Settings, enter: Enter, tmp_path: Path
) -> None:
    (inbox / "a.tif").write_bytes(b"1")
    enter("a.tif")
    assert everything_known(database, inbox)
    assert unknown(database, settings) == []
    (inbox / "a.tif").rename(tmp_path / "a.tif")
    assert unknown(database, settings) == []
    assert gone(database) == ["a.tif"]
    (tmp_path / "a.tif").rename(inbox / "a.tif")
    assert unknown(database, settings) == [b"a.tif"]


def test_an_inbox_that_cannot_be_read_is_not_taken_for_an_empty_one(
    inbox: Path, database: Database, settings: Settings, enter: Enter
) -> None:
    (inbox / "a.tif").write_bytes(b"1")
    enter("a.tif")
    shutil.rmtree(inbox)
    with pytest.raises(MasterUnavailable, match="inbox"):
        unknown(database, settings)
    assert gone(database) == []


def test_a_file_without_permission_is_tried_at_every_rescan(
    inbox: Path, database: Database, settings: Settings
) -> None:
    (inbox / "a.tif").write_bytes(b"1")
    with database.begin() as s:
        quarantine_sighting(s, seen(inbox, "a.tif"), Problem("unreadable-file", "no right", "give it"))
    (inbox / "b.tif").write_bytes(b"1")
    with database.begin() as s:
        quarantine_sighting(s, seen(inbox, "b.tif"), Problem("empty-file", "no bytes", "copy it again"))
    assert unknown(database, settings) == [b"a.tif"]
    assert everything_known(database, inbox)


def test_a_share_that_is_away_takes_no_file_with_it(
    inbox: Path, database: Database, settings: Settings, enter: Enter, mount: Callable[[Path], None]
) -> None:
    mount(inbox)
    (inbox / "a.tif").write_bytes(b"1")
    enter("a.tif")
    assert unknown(database, settings) == []
    subprocess.run(["umount", inbox], check=True)
    with pytest.raises(MasterUnavailable, match="empty all at once"):
        unknown(database, settings)
    assert gone(database) == []


def test_a_walk_during_which_the_share_goes_marks_nothing_as_gone(
    inbox: Path, database: Database, settings: Settings, enter: Enter, mount: Callable[[Path], None]
) -> None:
    mount(inbox)
    for name in ("a.tif", "b.tif"):
        (inbox / name).write_bytes(b"1")
    entries = unknown_entries(database, settings)
    enter("a.tif")
    next(entries)
    subprocess.run(["umount", "--lazy", inbox], check=True)
    with pytest.raises(MasterUnavailable):
        list(entries)
    assert gone(database) == []
