import os
from pathlib import Path, PurePosixPath

import pytest

from worker.errors import HomeError
from worker.settings import Settings, load_settings
from worker.storage.folders import (
    Location,
    location_of,
    refuse_overlap,
    refuse_shared,
    refuse_world_writable,
    require_safe_folders,
)

MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 21 8:17 / /data rw,relatime - ext4 /dev/sdb1 rw
31 21 8:17 /scans /mnt/inbox rw,relatime - ext4 /dev/sdb1 rw
32 21 8:17 /scans/out /mnt/out\\040box rw,relatime - ext4 /dev/sdb1 rw
"""


def test_a_bind_mount_is_seen_through() -> None:
    inbox, outbox = location_of(Path("/mnt/inbox"), MOUNTS), location_of(Path("/mnt/out box"), MOUNTS)
    assert inbox == Location("8:17", PurePosixPath("/scans"))
    assert inbox == location_of(Path("/data/scans"), MOUNTS)
    assert inbox.holds(outbox)
    assert not outbox.holds(inbox)
    assert location_of(Path("/data"), MOUNTS).holds(outbox)
    assert not location_of(Path("/scans"), MOUNTS).holds(inbox)


def test_folders_that_are_linked_into_one_another_are_refused(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "colored").symlink_to(tmp_path / "scans")
    settings = load_settings(
        home=tmp_path / "home", inbox=tmp_path / "scans", outbox=tmp_path / "colored" / "new"
    )
    with pytest.raises(HomeError, match="overlap"):
        refuse_overlap(settings)


@pytest.mark.parametrize("setting", ["inbox", "outbox"])
@pytest.mark.parametrize("own", [".", "..", "run", "models", "broker/deeper", "log"])
def test_what_the_station_keeps_for_itself_is_in_neither_folder(
    tmp_path: Path, setting: str, own: str
) -> None:
    home = tmp_path / "above" / "home"
    with pytest.raises(HomeError, match=f"SAEK_{setting.upper()}"):
        refuse_overlap(load_settings(home=home, **{setting: home / own}))


@pytest.mark.parametrize("setting", ["home", "inbox", "outbox", "models"])
@pytest.mark.parametrize("mode", [0o777, 0o1777], ids=["open", "sticky"])
def test_a_world_writable_folder_is_refused_with_the_chmod(
    settings: Settings, setting: str, mode: int
) -> None:
    folder = settings.home if setting == "home" else settings.home / setting
    folder.mkdir(exist_ok=True)
    folder.chmod(mode)
    with pytest.raises(HomeError) as caught:
        require_safe_folders(settings)
    assert f"chmod o-w '{folder}'" in caught.value.remedy
    os.system(caught.value.remedy.removeprefix("Run: "))
    require_safe_folders(settings)


def test_a_folder_that_everybody_could_exchange_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open" / "inbox").mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(HomeError, match="replaced"):
        refuse_world_writable(tmp_path / "open" / "inbox")
    (tmp_path / "open").chmod(0o1777)
    refuse_world_writable(tmp_path / "open" / "inbox")


def test_a_folder_of_sockets_that_others_write_to_is_refused(settings: Settings) -> None:
    settings.run_path.chmod(0o770)
    with pytest.raises(HomeError, match="chmod go-w"):
        require_safe_folders(settings)


def test_a_folder_of_sockets_that_belongs_to_another_is_refused(tmp_path: Path) -> None:
    """The socket of a deep home lies in the temporary folder, where others could have been first."""
    foreign = Path("/usr")
    if os.geteuid() == 0:
        foreign = tmp_path / "foreign"
        foreign.mkdir()
        os.chown(foreign, 65534, -1)
    with pytest.raises(HomeError, match="another user"):
        refuse_shared(foreign)
