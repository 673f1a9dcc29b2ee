import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from db.catalog.files import list_files
from db.core.engine import Database
from db.queue.intake import quarantine_sighting, register
from db.values import NewScan, NewSighting, Problem
from restoration import MasterUnavailable
from worker.inbox.rescan import everything_known, rescan
from worker.inbox.walk import WalkSummary
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
            register(s, seen(inbox, name), NewScan("a" * 64, 1), None)

    return enter


def seen(inbox: Path, name: str) -> NewSighting:
    found = (inbox / name).stat()
    return NewSighting("inbox", os.fsencode(name), name, "", found.st_size, found.st_mtime_ns, found.st_ino)


def unknown(database: Database, settings: Settings) -> list[bytes]:
    return sorted(entry.path for step in rescan(database, settings) for entry in step.unknown)


def gone(database: Database) -> list[str]:
    with database.read() as s:
        return [row.display for row in list_files(s) if row.gone]


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


def test_a_file_that_is_gone_is_found_again_when_it_is_back(
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


def test_an_unreadable_inbox_is_not_taken_for_an_empty_one(
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
    with pytest.raises(MasterUnavailable, match="suddenly empty"):
        unknown(database, settings)
    assert gone(database) == []


def test_a_share_lost_during_the_walk_marks_nothing_as_gone(
    inbox: Path,
    database: Database,
    settings: Settings,
    enter: Enter,
    mount: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.inbox.rescan._PAGE", 1)
    mount(inbox)
    for name in ("a.tif", "b/b.tif"):
        (inbox / name).parent.mkdir(exist_ok=True)
        (inbox / name).write_bytes(b"1")
        enter(name)
    steps = rescan(database, settings)
    next(steps)
    subprocess.run(["umount", "--lazy", inbox], check=True)
    with pytest.raises(MasterUnavailable):
        list(steps)
    assert gone(database) == []


def test_each_step_tells_what_it_found(
    inbox: Path, database: Database, settings: Settings, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inbox.rescan._PAGE", 2)
    for name in ("a.tif", "b.tif", "c.tif", "d.tif"):
        (inbox / name).write_bytes(b"1")
        enter(name)
    (inbox / "a.tif").write_bytes(b"12")
    (inbox / "b.tif").rename(inbox / "e.tif")
    (inbox / "c.tif").unlink()

    steps = list(rescan(database, settings))

    assert [step.files for step in steps] == [2, 1, 0]
    assert [entry.path for step in steps for entry in step.new] == [b"e.tif"]
    assert [entry.path for step in steps for entry in step.changed] == [b"a.tif"]
    assert sum(step.gone for step in steps) == 2
    assert gone(database) == ["b.tif", "c.tif"]


def test_more_files_than_fit_a_page_are_swept(
    inbox: Path, database: Database, settings: Settings, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inbox.rescan._SWEEP_PAGE", 3)
    for number in range(8):
        (inbox / f"{number}.tif").write_bytes(b"1")
        enter(f"{number}.tif")
    for number in (0, 4, 7):
        (inbox / f"{number}.tif").unlink()
    assert unknown(database, settings) == []
    assert gone(database) == ["0.tif", "4.tif", "7.tif"]


def test_files_registered_during_the_walk_are_not_marked_as_gone(
    inbox: Path, database: Database, settings: Settings, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.inbox.rescan._PAGE", 1)
    (inbox / "a.tif").write_bytes(b"1")
    steps = rescan(database, settings)
    first = next(steps)
    enter("a.tif")  # met as new
    (inbox / "b.tif").write_bytes(b"1")
    enter("b.tif")  # not met at all
    list(steps)
    assert [entry.path for entry in first.new] == [b"a.tif"]
    assert gone(database) == []


def test_known_files_are_not_opened(
    inbox: Path, database: Database, settings: Settings, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        (inbox / f"{number}.tif").write_bytes(b"1")
        enter(f"{number}.tif")
    opened = []
    hook = sys.addaudithook  # a hook stays for good, so that it looks at a switch
    hook(lambda event, words: opened.append(words[0]) if event == "open" and watching else None)
    watching = True
    try:
        assert unknown(database, settings) == []
    finally:
        watching = False
    assert not [path for path in opened if str(inbox) in os.fsdecode(path)]


def test_an_unreadable_folder_is_noted_and_the_walk_continues(
    inbox: Path, database: Database, settings: Settings, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gone.tif", "a/a.tif", "locked/b.tif", "locked/c/c.tif", "locked too/d.tif", "z/z.tif"):
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_bytes(b"1")
    for name in ("gone.tif", "locked/b.tif", "locked/c/c.tif", "locked too/d.tif"):
        enter(name)
    for name in ("gone.tif", "locked too/d.tif"):
        (inbox / name).unlink()
    lock(inbox / "locked", monkeypatch)
    survey = WalkSummary()
    steps = list(rescan(database, settings, survey))
    assert sorted(entry.path for step in steps for entry in step.new) == [b"a/a.tif", b"z/z.tif"]
    assert list(survey.refused) == [b"locked"]
    assert sorted(gone(database)) == ["gone.tif", "locked too/d.tif"]


def test_a_too_long_path_is_noted_and_the_walk_continues(
    inbox: Path, database: Database, settings: Settings
) -> None:
    (inbox / "a.tif").write_bytes(b"1")
    deep = dig(inbox, 4200)
    survey = WalkSummary()
    steps = list(rescan(database, settings, survey))
    assert [entry.path for step in steps for entry in step.new] == [b"a.tif"]
    (refused,) = survey.refused
    assert deep.startswith(refused)
    assert survey.refused[refused].errno == errno.ENAMETOOLONG


def dig(folder: Path, length: int) -> bytes:
    """Make folders below each other until their path is so long, and a file in the last one."""
    here = os.open(folder, os.O_RDONLY)
    path = b""
    while len(os.fsencode(folder)) + len(path) < length:
        os.mkdir(b"d" * 200, dir_fd=here)
        below = os.open(b"d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here, path = below, path + b"d" * 200 + b"/"
    os.close(os.open(b"deep.tif", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    return path


def lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the right to read away; the superuser, whom that does not stop, is refused by hand."""
    folder.chmod(0)
    real = os.scandir

    def listed(path: bytes) -> object:
        if os.fsdecode(path) == str(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return real(path)

    if os.geteuid() == 0:
        monkeypatch.setattr("worker.inbox.walk.os.scandir", listed)


def test_a_folder_moved_away_during_the_walk_does_not_stop_it(
    inbox: Path,
    database: Database,
    settings: Settings,
    enter: Enter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.inbox.rescan._PAGE", 1)
    for name in ("a.tif", "moved/b.tif"):
        (inbox / name).parent.mkdir(exist_ok=True)
        (inbox / name).write_bytes(b"1")
        enter(name)
    steps = rescan(database, settings)
    next(steps)
    (inbox / "moved").rename(tmp_path / "moved")
    list(steps)
    assert gone(database) == ["moved/b.tif"]
