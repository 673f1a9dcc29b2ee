"""A station as a user meets it: files dropped in every way, processes killed, nothing lost, nothing twice."""

import hashlib
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from db.reports.history import scan_history
from db.reports.status import running_jobs
from db.vocabulary import FileState, JobState

ENDED = {FileState.DONE, FileState.QUARANTINED}
BAD = {
    "color.png": "already-color",
    "cut.tif": "truncated-image",
    "empty.tif": "empty-file",
    "list.tif": "not-an-image",
}


def gray(seed: int, bits: int) -> NDArray[Any]:
    """A photograph of its own for each seed: a crop of scikit-image's camera man, shifted and scaled."""
    side = 160 + 23 * seed
    picture = np.roll(data.camera(), 31 * seed, axis=(0, 1))[:side, : side + 40].astype(np.float64) / 255
    return np.rint(picture * (2**bits - 1)).astype(f"uint{bits}")


def make_masters(folder: Path) -> list[Path]:
    """Write twenty mixed files and return them."""
    folder.mkdir()
    made = []
    for seed in range(5):
        tifffile.imwrite(folder / f"gray8-{seed}.tif", gray(seed, 8))
        tifffile.imwrite(folder / f"gray16-{seed}.tif", gray(seed, 16))
        Image.fromarray(gray(seed, 8)).save(folder / f"photo-{seed}.jpg", quality=90)
    tifffile.imwrite(folder / "rgb48.tif", np.dstack([gray(5, 16)] * 3), photometric="rgb")
    Image.fromarray(data.astronaut()).save(folder / "color.png")
    whole = (folder / "gray8-4.tif").read_bytes()
    (folder / "cut.tif").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.tif").touch()
    (folder / "list.tif").write_text("a list, no picture\n" * 20)
    made = sorted(folder.iterdir())
    assert len(made) == 20
    return made


def copy_slowly(source: Path, target: Path) -> None:
    content = source.read_bytes()
    with target.open("wb", buffering=0) as file:
        for start in range(0, len(content), max(1, len(content) // 8)):
            file.write(content[start : start + max(1, len(content) // 8)])
            time.sleep(0.1)


def drop(masters: list[Path], inbox: Path) -> None:
    """Drop the files in three ways: copied slowly, moved in, renamed from .part."""
    slow = []
    for number, master in enumerate(masters):
        target = inbox / master.name
        if number % 3 == 0:
            slow.append(threading.Thread(target=copy_slowly, args=(master, target)))
            slow[-1].start()
        elif number % 3 == 1:
            moved = master.with_suffix(master.suffix + ".moving")
            shutil.copyfile(master, moved)
            moved.rename(target)
        else:
            part = target.with_name(target.name + ".part")
            shutil.copyfile(master, part)
            part.rename(target)
    for thread in slow:
        thread.join()


def luma_of(path: Path) -> NDArray[Any]:
    """The derivative's luminance, by libraries that Saek does not use for it."""
    rgb = tifffile.imread(path)
    if rgb.dtype == np.uint8:
        return np.asarray(Image.fromarray(rgb).convert("L"))
    r, g, b = (rgb[..., band].astype(np.int64) for band in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16).astype(np.uint16)


def master_gray(path: Path) -> NDArray[Any]:
    picture = np.asarray(Image.open(path)) if path.suffix == ".jpg" else tifffile.imread(path)
    return picture if picture.ndim == 2 else picture[..., 0]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_twenty_files_end_once_though_everything_is_killed(station: Any, tmp_path: Path) -> None:
    masters = make_masters(tmp_path / "masters")
    digests = {m.name: hashlib.sha256(m.read_bytes()).hexdigest() for m in masters}
    station.start()
    station.await_that(station.settings.broker_socket.exists, "the station's start")
    drop(masters, station.inbox)

    def someone_works() -> int | None:
        with station.database() as database, database.read() as s:
            now = running_jobs(s)
        return int(now[0].owner.rpartition(":")[2]) if now else None

    station.await_that(someone_works, "work on a scan")
    child = someone_works()
    os.kill(child or station.parts()["worker"], signal.SIGKILL)
    station.await_that(lambda: sum(r.state is FileState.DONE for r in station.rows().values()) >= 4, "4 done")
    os.kill(station.parts()["worker"], signal.SIGKILL)
    station.await_that(lambda: sum(r.state is FileState.DONE for r in station.rows().values()) >= 6, "6 done")

    def the_dead_hold_nothing() -> bool:
        with station.database() as database, database.read() as s:
            return all(Path(f"/proc/{job.owner.rpartition(':')[2]}").exists() for job in running_jobs(s))

    station.await_that(the_dead_hold_nothing, "the end of the leases of the dead")
    assert station.stop() == 0
    before = Counter(row.state for row in station.rows().values())
    assert not before[FileState.RUNNING]
    station.start("--until-idle")
    assert station.wait(240) == 0, station.tail()

    rows = station.rows()
    assert set(rows) == set(digests)
    for name, row in rows.items():
        master = station.inbox / name
        assert hashlib.sha256(master.read_bytes()).hexdigest() == digests[name], "the master is sacred"
        if name in BAD:
            assert (row.state, row.code) == (FileState.QUARANTINED, BAD[name])
            assert row.reason
            assert row.remedy
            continue
        assert row.state is FileState.DONE, (name, row)
        output = station.output(row)
        assert np.array_equal(luma_of(output), master_gray(master)), name
        with station.database() as database, database.read() as s:
            told = scan_history(s, name)
        assert [job.state for job in told.jobs] == [JobState.DONE]
        (derivative,) = told.derivatives
        assert derivative.luma_max_error == 0
        assert hashlib.sha256(output.read_bytes()).hexdigest() == derivative.sha256
    wished = {station.output(row) for name, row in rows.items() if name not in BAD}
    assert station.made() == wished


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_master_changed_before_its_work_is_registered_anew(station: Any) -> None:
    first, second = gray(1, 8), gray(2, 8)
    tifffile.imwrite(station.inbox / "a.tif", first)
    assert station.saek("db", "upgrade").returncode == 0
    assert station.saek("pause").returncode == 0
    station.start()
    station.await_that(lambda: "a.tif" in station.rows(), "the registration")
    tifffile.imwrite(station.inbox / "a.tif", second)
    assert station.saek("resume").returncode == 0
    station.await_that(
        lambda: (
            station.rows()["a.tif"].state is FileState.DONE
            and np.array_equal(luma_of(station.output(station.rows()["a.tif"])), second)
        ),
        "the derivative of the second content",
    )
    assert station.stop() == 0


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_killed_station_goes_on_where_it_was(station: Any) -> None:
    for seed in range(3):
        tags = [(271, 2, 0, "Epson", True), (315, 2, 0, "Kim", True)]
        tifffile.imwrite(station.inbox / f"{seed}.tif", gray(seed, 8), extratags=tags)
    station.start()
    station.await_that(lambda: len(station.rows()) == 3, "the registration")
    station.kill()
    station.start("--until-idle")
    assert station.wait(120) == 0, station.tail()
    assert {row.state for row in station.rows().values()} == {FileState.DONE}
    (made,) = json.loads(station.saek("status", "0.tif", "--json").stdout)["derivatives"]
    assert made["facts"]["seamlessness"]["consistency"] < 1
    assert "dc:creator" in made["facts"]["metadata"]["carried"]
    assert "TIFF: Make" in made["facts"]["metadata"]["dropped"]


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_killed_part_is_restarted_and_work_goes_on(station: Any) -> None:
    station.start()
    station.await_that(station.settings.broker_socket.exists, "the station's start")
    for name in ("broker", "dispatch", "ingest"):
        station.await_that(lambda name=name: name in station.parts(), name)
        killed = station.parts()[name]
        os.kill(killed, signal.SIGKILL)
        station.await_that(
            lambda name=name, killed=killed: station.parts().get(name) not in {None, killed}, f"a new {name}"
        )
    tifffile.imwrite(station.inbox / "a.tif", gray(1, 8))
    station.await_that(
        lambda: (row := station.rows().get("a.tif")) is not None and row.state is FileState.DONE,
        "the derivative",
    )
    assert station.stop() == 0
