"""A model of the user's own, from its file to the derivatives of dropped scans."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from skimage import data

from db.reports.history import scan_history
from db.reports.status import overview
from db.vocabulary import FileState
from restoration.generators.models import SHIPPED, default_model

DEFAULT = default_model().name


def offered(folder: Path) -> Path:
    """The shipped model as somebody else might send it: another name, card beside the weights."""
    folder.mkdir()
    shutil.copy(SHIPPED / "archive-1.safetensors", folder / "harbor.safetensors")
    card = (SHIPPED / "archive-1.toml").read_text().replace("archive-1", "harbor")
    (folder / "harbor.toml").write_text(card)
    return folder / "harbor.safetensors"


def run(station: Any, *words: str) -> Any:
    ended = station.saek(*words, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_imported_model_colors_and_the_next_one_reprocesses(station: Any, tmp_path: Path) -> None:
    scan = data.camera()[:120, :160]
    assert run(station, "models", "import", str(offered(tmp_path / "mail")))["new"]

    tifffile.imwrite(tmp_path / "single.tif", scan)
    made = run(
        station, "restore", str(tmp_path / "single.tif"), "-o", str(tmp_path / "out.tif"), "--model", "harbor"
    )
    assert made["files"][0]["restoration"]["model"] == "harbor"

    with (station.settings.home / "saek.toml").open("a") as file:
        file.write('model = "harbor"\n')
    tifffile.imwrite(station.inbox / "a.tif", scan)
    station.start("--until-idle")
    assert station.wait(150) == 0, station.tail()
    row = station.rows()["a.tif"]
    assert row.state is FileState.DONE, row
    with station.database() as database, database.read() as s:
        (derivative,) = scan_history(s, "a.tif").derivatives
    assert derivative.engine.endswith("/harbor")
    assert np.array_equal(tifffile.imread(station.output(row)), tifffile.imread(tmp_path / "out.tif"))

    settings = station.settings.home / "saek.toml"
    settings.write_text(settings.read_text().replace('model = "harbor"\n', ""))
    estimate = run(station, "reprocess", "--stale", "--dry-run")
    assert (estimate["recipe"]["model"], estimate["to_make"]) == (DEFAULT, 1)
    assert run(station, "models", "default", "harbor") == {"name": "harbor", "source": "chosen"}
    estimate = run(station, "reprocess", "--stale", "--dry-run")
    assert (estimate["recipe"]["model"], estimate["to_make"]) == ("harbor", 0)

    run(station, "models", "default", "--shipped")
    assert run(station, "reprocess", "--stale")["created"] == 1
    run(station, "models", "default", "harbor")
    station.start("--until-idle")
    assert station.wait(150) == 0, station.tail()
    with station.database() as database, database.read() as s:
        models = [made.engine.rpartition("/")[2] for made in scan_history(s, "a.tif").derivatives]
        assert overview(s).files[FileState.DONE] == 1
    assert sorted(models) == sorted([DEFAULT, "harbor"])
