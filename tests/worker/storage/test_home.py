import subprocess
import sys
from pathlib import Path

import pytest

from worker.errors import HomeBusy, HomeError
from worker.settings import Settings, load_settings
from worker.storage.home import is_station_running, prepare_home, station_lock


@pytest.mark.parametrize(("inbox", "outbox"), [("a", "a"), ("a", "a/out"), ("a/in", "a")])
def test_an_inbox_that_overlaps_the_outbox_is_refused(tmp_path: Path, inbox: str, outbox: str) -> None:
    settings = load_settings(home=tmp_path / "home", inbox=tmp_path / inbox, outbox=tmp_path / outbox)
    with pytest.raises(HomeError, match="overlap"):
        prepare_home(settings)


def test_an_inbox_that_holds_the_home_is_refused(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "in" / "home", inbox=tmp_path / "in", outbox=tmp_path / "out")
    with pytest.raises(HomeError, match="home"):
        prepare_home(settings)


def test_a_folder_open_to_everybody_is_refused(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home")
    settings.inbox_path.mkdir(parents=True)
    settings.inbox_path.chmod(0o777)
    with pytest.raises(HomeError, match="chmod o-w"):
        prepare_home(settings)


def test_one_home_has_one_station_even_when_the_first_is_killed(settings: Settings) -> None:
    hold = (
        "import sys, time; from worker.storage.home import station_lock\n"
        "from worker.settings import load_settings\n"
        "with station_lock(load_settings()): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_station_running(settings)
        with pytest.raises(HomeBusy, match=str(holder.pid)), station_lock(settings):
            pass
        holder.kill()
    assert not is_station_running(settings)
    with station_lock(settings):
        assert is_station_running(settings)
