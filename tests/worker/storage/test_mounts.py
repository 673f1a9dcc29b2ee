"""An absent share is not taken for an empty folder."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from restoration import MasterUnavailable, OutputUnavailable
from worker.settings import Settings
from worker.storage import mounts
from worker.storage.mounts import (
    INBOX_MARK,
    MAX_VANISHED,
    OUTBOX_MARK,
    require_inbox,
    require_mark,
    require_outbox,
)

Mount = Callable[[Path], None]


@pytest.fixture(autouse=True)
def _another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is that of a process that has seen nothing yet."""
    monkeypatch.setattr(mounts, "_stored", {})


def unmount(folder: Path) -> None:
    subprocess.run(["umount", folder], check=True)


def known(files: int) -> Callable[[int], int]:
    return lambda most: min(files, most)


def nothing() -> list[bytes]:
    return []


def test_an_outbox_that_nothing_was_made_in_is_marked(settings: Settings) -> None:
    require_outbox(settings, nothing)
    assert "outbox of a Saek station" in (settings.outbox_path / OUTBOX_MARK).read_text()
    require_outbox(settings, lambda: pytest.fail("a marked outbox needs no record"))


def test_an_outbox_of_an_earlier_release_is_known_by_its_files(settings: Settings) -> None:
    (settings.outbox_path / "new.tif").touch()
    require_outbox(settings, lambda: [b"gone.tif", b"new.tif"])
    assert (settings.outbox_path / OUTBOX_MARK).exists()


def test_an_unmounted_outbox_gets_nothing_written(settings: Settings, mount: Mount) -> None:
    mount(settings.outbox_path)
    require_outbox(settings, nothing)
    (settings.outbox_path / "a.tif").touch()
    unmount(settings.outbox_path)
    for made in (nothing, lambda: [b"a.tif"]):
        with pytest.raises(OutputUnavailable, match="is not the same outbox as before") as told:
            require_outbox(settings, made)
    assert list(settings.outbox_path.iterdir()) == []
    assert f"touch '{settings.outbox_path / OUTBOX_MARK}'" in told.value.remedy


def test_without_memory_the_record_tells_that_the_outbox_is_away(settings: Settings) -> None:
    with pytest.raises(OutputUnavailable, match="before"):
        require_outbox(settings, lambda: [b"a.tif"])


def test_a_person_can_say_that_an_empty_outbox_is_meant(settings: Settings) -> None:
    (settings.outbox_path / OUTBOX_MARK).touch()
    require_outbox(settings, lambda: [b"a.tif"])


def test_an_outbox_that_cannot_be_marked_is_waited_for(settings: Settings, mount: Mount) -> None:
    settings.outbox_path.rmdir()
    with pytest.raises(OutputUnavailable, match="not there"):
        require_outbox(settings, nothing)
    settings.outbox_path.mkdir()
    mount(settings.outbox_path)
    subprocess.run(["mount", "-o", "remount,ro", settings.outbox_path], check=True)
    with pytest.raises(OutputUnavailable, match="Read-only"):
        require_outbox(settings, nothing)


def test_an_inbox_whose_file_system_is_gone_is_away(settings: Settings, mount: Mount) -> None:
    inbox = settings.inbox_path
    mount(inbox)
    (inbox / "a.tif").touch()
    require_inbox(settings, known(1))
    unmount(inbox)
    with pytest.raises(MasterUnavailable, match="suddenly empty"):
        require_inbox(settings, known(1))
    mount(inbox)
    (inbox / "a.tif").touch()
    require_inbox(settings, known(1))


def test_an_inbox_that_a_person_empties_of_a_few_files_is_there(settings: Settings) -> None:
    (settings.inbox_path / "a.tif").touch()
    require_inbox(settings, known(1))
    (settings.inbox_path / "a.tif").unlink()
    require_inbox(settings, known(MAX_VANISHED - 1))


def test_many_files_gone_at_once_count_as_a_missing_inbox(settings: Settings) -> None:
    (settings.inbox_path / "a.tif").touch()
    require_inbox(settings, known(1))
    (settings.inbox_path / "a.tif").unlink()
    (settings.inbox_path / "lost+found").mkdir()
    with pytest.raises(MasterUnavailable) as told:
        require_inbox(settings, known(MAX_VANISHED))
    assert f"touch '{settings.inbox_path / INBOX_MARK}'" in told.value.remedy
    (settings.inbox_path / INBOX_MARK).touch()
    require_inbox(settings, known(MAX_VANISHED))


def test_an_empty_inbox_counts_as_away_on_a_new_host(settings: Settings) -> None:
    require_inbox(settings, known(0))
    with pytest.raises(MasterUnavailable):
        require_inbox(settings, known(1))


def test_an_inbox_that_had_a_mark_must_have_it(settings: Settings) -> None:
    mark = settings.inbox_path / INBOX_MARK
    mark.touch()
    require_inbox(settings, known(0))
    (settings.inbox_path / "readme.txt").touch()
    mark.unlink()
    with pytest.raises(MasterUnavailable, match=INBOX_MARK):
        require_inbox(settings, known(0))


def test_another_folder_is_another_inbox(settings: Settings, tmp_path: Path) -> None:
    (settings.inbox_path / INBOX_MARK).touch()
    require_inbox(settings, known(0))
    (tmp_path / "other").mkdir()
    require_inbox(settings.model_copy(update={"inbox": tmp_path / "other"}), known(0))


def test_an_inbox_that_cannot_be_read_is_away(settings: Settings) -> None:
    settings.inbox_path.rmdir()
    with pytest.raises(MasterUnavailable, match="cannot be read"):
        require_inbox(settings, known(0))


def test_a_memory_that_is_damaged_is_none(settings: Settings) -> None:
    for words in ("", "[]", '{"inbox": {"path": 1}}', '{"inbox": [], "outbox": "?"}'):
        (settings.home / "places.json").write_text(words)
        require_inbox(settings, known(0))
        require_outbox(settings, nothing)


def test_an_outbox_unmounted_during_the_work_is_noticed(settings: Settings, mount: Mount) -> None:
    mount(settings.outbox_path)
    require_outbox(settings, nothing)
    require_mark(settings)
    unmount(settings.outbox_path)
    with pytest.raises(OutputUnavailable, match="during the work"):
        require_mark(settings)
