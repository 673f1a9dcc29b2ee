"""The outbox of a real station mirrors its inbox: duplicates, renamed folders, kills in between."""

import hashlib
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from skimage import data

from db.catalog.names_due import any_names_due
from db.catalog.surveys import last_survey
from db.reports.history import scan_history
from db.vocabulary import FileState
from worker.storage.mounts import OUTBOX_MARK

SLOW = [pytest.mark.slow, pytest.mark.timeout(300)]
pytestmark = SLOW


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, np.roll(data.camera(), 41 * seed, axis=1)[:90, : 120 + seed])


def mirrored(station: Any) -> dict[str, set[str]]:
    """The digests of the derivatives by the folder and stem that they have, as a person reads the outbox."""
    found: dict[str, set[str]] = {}
    outbox = station.settings.outbox_path
    for path in outbox.rglob("*.tif"):
        if not path.name.startswith("."):
            name = path.relative_to(outbox).parent / path.name.partition(".")[0]
            found.setdefault(os.fspath(name), set()).add(hashlib.sha256(path.read_bytes()).hexdigest())
    return found


def wanted(station: Any) -> dict[str, set[str]]:
    """The same, by what the record tells of each file that lies in the inbox."""
    expected: dict[str, set[str]] = {}
    inbox = station.inbox
    with station.database() as database, database.read() as s:
        for path in inbox.rglob("*.tif"):
            name = path.relative_to(inbox)
            told = scan_history(s, os.fspath(name))
            made = set() if told is None else {one.sha256 for one in told.derivatives}
            expected[os.fspath(name.parent / name.name.partition(".")[0])] = made
    return expected


def quiet(station: Any) -> bool:
    with station.database() as database, database.read() as s:
        due = any_names_due(s)
    return not due and all(row.state is FileState.DONE or row.gone for row in station.rows().values())


def await_mirror(station: Any) -> None:
    def mirrors() -> bool:
        if not station.rows():
            return False
        names = wanted(station)
        return bool(names) and all(names.values()) and mirrored(station) == names and quiet(station)

    station.await_that(mirrors, "the mirror")


def test_duplicates_and_renamed_folders_have_their_derivatives(station: Any) -> None:
    for name, seed in (("1950/a.tif", 1), ("copies/of-a.tif", 1), ("1950/b.tif", 2)):
        draw(station.inbox / name, seed)
    station.start()
    await_mirror(station)
    draw(station.inbox / "later/again.tif", 1)
    await_mirror(station)
    (station.inbox / "1950").rename(station.inbox / "1951")
    await_mirror(station)
    assert not (station.settings.outbox_path / "1950").exists()
    made = station.saek("reprocess", "1951/b.tif", "--strength", "0.5")
    assert made.returncode == 0, made.stderr
    shutil.copy(station.inbox / "1951/b.tif", station.inbox / "b-again.tif")
    station.await_that(lambda: len(wanted(station).get("b-again", ())) == 2, "the second version")
    await_mirror(station)
    assert station.stop() == 0
    assert len(station.made()) == 7
    verified = station.saek("verify")
    assert verified.returncode == 0, verified.stdout
    told = station.saek("status", "later/again.tif")
    assert "later/again." in told.stdout
    assert "copies/of-a." in told.stdout


def test_no_kill_leaves_the_mirror_in_pieces(station: Any) -> None:
    for seed in range(4):
        draw(station.inbox / f"old/{seed}.tif", seed)
    station.start()
    await_mirror(station)
    for turn in range(4):
        old, new = (("old", "new"), ("new", "old"))[turn % 2]
        (station.inbox / old).rename(station.inbox / new)
        for seed in range(4):
            draw(station.inbox / f"turn-{turn}/{seed}.tif", seed)
        time.sleep(0.7 + 0.6 * turn)
        station.await_that(lambda: "worker" in station.parts(), "the worker, started again")
        os.kill(station.parts()["worker"], signal.SIGKILL)
        await_mirror(station)
    station.kill()
    station.start("--until-idle")
    assert station.wait(120) == 0, station.tail()
    assert mirrored(station) == wanted(station)
    assert (station.settings.outbox_path / OUTBOX_MARK).exists()
    assert station.saek("verify", "--orphans", "--derivatives").returncode == 0


def test_until_idle_reports_files_that_are_gone(station: Any) -> None:
    draw(station.inbox / "old/a.tif", 1)
    draw(station.inbox / "b.tif", 2)
    station.start("--until-idle")
    assert station.process.wait(120) == 0
    (station.inbox / "old").rename(station.inbox / "new")
    (station.inbox / "b.tif").unlink()
    station.start("--until-idle")
    assert station.process.wait(120) == 0
    assert {name for name, row in station.rows().items() if row.gone} == {"b.tif", "old/a.tif"}
    with station.database() as database, database.read() as s:
        survey = last_survey(s)
    assert survey is not None
    assert (survey.files, survey.unknown) == (1, 0)
