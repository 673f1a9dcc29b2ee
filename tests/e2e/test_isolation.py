"""One file or folder, however odd, holds up no other: a real station, and what it says."""

import contextlib
import ctypes
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from skimage import data

from db.vocabulary import FileState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

TERABYTES = 2 << 40
PICTURE = data.camera()[:160, :200]


def scan(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.roll(PICTURE, 7 * seed, axis=0))


def dig(folder: Path, length: int, name: bytes = b"d" * 200) -> None:
    """Make folders below each other until their path is so long."""
    here, done = os.open(folder, os.O_RDONLY), len(os.fsencode(folder))
    while done < length:
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here, done = below, done + len(name) + 1
    os.close(here)


def done(station: Any) -> set[str]:
    return {name for name, row in station.rows().items() if row.state is FileState.DONE}


def touch(path: Path, when: str) -> None:
    subprocess.run(["touch", "-d", when, path], check=True)


def test_files_of_1601_and_2300_delay_no_others(
    station: Any,
) -> None:
    for seed, (name, when) in enumerate({"a.tif": "2300-01-01", "b.tif": "1601-01-01"}.items()):
        scan(station.inbox / name, seed)
        touch(station.inbox / name, when)
    scan(station.inbox / "c.tif", 2)
    station.start("--until-idle")
    assert station.wait(200) == 0, station.tail()
    assert done(station) == {"a.tif", "b.tif", "c.tif"}
    station.start("--until-idle")  # they are the files that they were
    assert station.wait(100) == 0, station.tail()
    assert station.log.read_text().count(" queued ") == 3


def test_sparse_terabyte_files_are_refused_unread(station: Any) -> None:
    with (station.inbox / "a.img").open("wb") as file:
        file.truncate(TERABYTES)
    scan(station.inbox / "b.tif", 0)
    os.truncate(station.inbox / "b.tif", TERABYTES)
    scan(station.inbox / "c.tif", 1)
    station.start("--until-idle")
    assert station.wait(200) == 0, station.tail()
    rows = station.rows()
    assert {name: row.state for name, row in rows.items()} == {
        "a.img": FileState.QUARANTINED,
        "b.tif": FileState.QUARANTINED,
        "c.tif": FileState.DONE,
    }
    assert (rows["a.img"].code, rows["a.img"].scan_id) == ("not-an-image", None)
    assert (rows["b.tif"].code, rows["b.tif"].scan_id) == ("unsupported-image", None)


def test_a_gigapixel_plate_delays_neither_others_nor_a_stop(station: Any) -> None:
    tifffile.memmap(station.inbox / "a.tif", shape=(38_000, 50_000), dtype=np.uint8).flush()  # sparse
    scan(station.inbox / "b.tif", 1)
    station.start()
    station.await_that(lambda: "reading a large file" in station.log.read_text(), "the large file")
    ingester = station.parts()["ingest"]
    began = time.monotonic()
    os.kill(ingester, signal.SIGTERM)
    while Path(f"/proc/{ingester}").exists() and state_of(ingester) != "Z":
        assert time.monotonic() - began < 10
        time.sleep(0.05)
    station.await_that(lambda: done(station) == {"b.tif"}, "the small file")
    station.await_that(lambda: "a.tif" in station.rows(), "the large one, after it")
    said = station.log.read_text()
    assert said.index("file=b.tif") < said.rindex("file=a.tif")
    assert station.stop() == 0


def state_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


@pytest.fixture
def deep_inbox(station: Any) -> Iterator[Path]:
    """The inbox, which is removed by a program that no depth stops, as pytest's would be."""
    yield station.inbox
    station.kill()
    subprocess.run(["rm", "-rf", station.inbox], check=True)


@pytest.mark.usefixtures("deep_inbox")
def test_an_unreachably_deep_folder_is_reported(station: Any) -> None:
    dig(station.inbox, 4300)
    dig(station.inbox, 3900, b"e")  # within the limit, and deeper than Python calls
    scan(station.inbox / "a.tif", 1)
    station.start()
    station.await_that(lambda: "a.tif" in done(station), "the file that was there")
    scan(station.inbox / "sub" / "b.tif", 2)
    station.await_that(lambda: "sub/b.tif" in done(station), "the file that came")
    assert refused_folders(station) == 1
    told = json.loads(station.saek("status", "--json").stdout)["survey"]
    assert told["refused"][0]["reason"] == os.strerror(errno.ENAMETOOLONG)
    assert "Not read" in station.saek("status").stdout
    checks = json.loads(station.saek("doctor", "--json").stdout)["checks"]
    (looks,) = [check for check in checks if check["name"] == "looks"]
    assert looks["state"] == "warning"
    assert "cannot be read" in looks["found"]
    assert "shorter path" in looks["remedy"]
    assert station.stop() == 0
    assert station.log.read_text().count("a folder cannot be read") == 1


def test_files_of_an_unreadable_folder_are_not_gone(station: Any) -> None:
    for seed, name in enumerate(("locked/a.tif", "b.tif", "c.tif")):
        scan(station.inbox / name, seed)
    assert station.saek("db", "upgrade").returncode == 0
    ingest(station, lambda: len(station.rows()) == 3)
    (station.inbox / "locked").chmod(0)
    (station.inbox / "b.tif").unlink()
    scan(station.inbox / "d" / "d.tif", 3)
    said = ingest(station, lambda: len(station.rows()) == 4 and station.rows()["b.tif"].gone)
    assert {name for name, row in station.rows().items() if row.gone} == {"b.tif"}
    assert said.count("a folder cannot be read") == 1
    assert "grant permission to read it" in said
    (station.inbox / "locked").chmod(0o755)
    assert "locked" not in ingest(station, lambda: refused_folders(station) == 0)


def refused_folders(station: Any) -> int:
    told = json.loads(station.saek("status", "--json").stdout)
    return int(told["survey"]["refused_folders"])


def ingest(station: Any, until: Callable[[], bool]) -> str:
    """Run an ingester that rights are kept from, even if it is the superuser's, until something holds."""
    log = station.log.with_name("ingest.log")
    with log.open("w+b") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", "ingest"],
            env=os.environ | {"SAEK_HOME": str(station.settings.home), "SAEK_RESCAN_SECONDS": "2"},
            stderr=sink,
            preexec_fn=drop_rights,  # noqa: PLW1509  (this process has no threads)
        )
    try:
        deadline = time.monotonic() + 120
        while not until():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
    finally:
        process.terminate()
        process.wait(30)
    return log.read_text()


def drop_rights() -> None:
    """Have what is executed next lack CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (PR_CAPBSET_DROP)."""
    for capability in (1, 2):
        PRCTL(24, capability, 0, 0, 0)


PRCTL = ctypes.CDLL(None).prctl
