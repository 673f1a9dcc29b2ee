import json

import pytest
from PIL import Image
from skimage import data

from worker.exits import Exit

TINY = """
name = "tiny"
evaluation_side = 64
precision = "fp32"
threads = 1
[model]
pretrained = false
[[phase]]
name = "only"
samples = 8
size = 64
batch = 4
"""


@pytest.fixture
def pictures(tmp_path):
    """A folder of small color photographs."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(24):
        source = (data.astronaut, data.coffee, data.chelsea)[number % 3]()
        Image.fromarray(source).resize((96 + number, 80)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def test_a_run_is_trained_reported_and_resumed(saek_json, saek, pictures, recipe, tmp_path):
    words = ["train", str(recipe), "--data", str(pictures), "--out", str(tmp_path / "run")]
    done = saek_json(*words)
    assert done["steps"] == 2
    assert done["spent"]["samples"] == 8
    assert done["spent"]["cpu_seconds"] > 0
    assert {row["set"] for row in done["validation"]} == {"all", "pictures"}
    assert (tmp_path / "run" / "best.safetensors").is_file()
    assert saek_json(*words, "--resume")["steps"] == 2
    assert saek(*words, "--fresh").exit_code == Exit.INCOMPLETE
    json.loads((tmp_path / "run" / "metrics.json").read_text())


def test_a_recipe_that_does_not_exist_is_told(saek, pictures, tmp_path):
    refused = saek("train", "nothing", "--data", str(pictures), "--out", str(tmp_path / "run"))
    assert refused.exit_code == Exit.INCOMPLETE
    assert refused.stderr.count("\n") == 1
    assert "nothing" in refused.stderr


def test_a_recipe_of_the_study_says_itself_how_it_is_trained(saek_json, saek, pictures, tmp_path):
    for place, path in enumerate(sorted(pictures.iterdir())[:4]):
        part = tmp_path / "sides" / ("train" if place < 3 else "test")
        part.mkdir(parents=True, exist_ok=True)
        path.rename(part / path.name)
    recipe = tmp_path / "study.toml"
    recipe.write_text(
        'kind = "seed"\nname = "x"\nabout = "y"\nfigure = "a"\nbase = 2\nepochs = 1\nbatch = 3\n'
    )
    words = ["train", str(recipe), "--data", str(tmp_path / "sides"), "--out", str(tmp_path / "run")]
    done = saek_json(*words)
    assert (done["steps"], done["validation"], done["test"][0]["pictures"]) == (1, [], 1)
    assert (tmp_path / "run" / "epoch-001.safetensors").is_file()
    assert "1 step; last weights: step 1" in saek(*words).stdout


def test_the_recipes_of_the_study_have_names(saek, pictures, tmp_path):
    refused = saek("train", "seed/pix2pix", "--data", str(pictures), "--out", str(tmp_path / "run"))
    assert refused.exit_code == Exit.INCOMPLETE
    assert "no pictures in the sub-folder train" in refused.stderr
