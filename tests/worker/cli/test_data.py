import pytest
from PIL import Image

from worker.exits import Exit


@pytest.fixture
def folder(tmp_path):
    """A black and a red picture, in two sub-folders."""
    for name, level in (("train", (0, 0, 0)), ("test", (255, 0, 0))):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (40, 40), level).save(tmp_path / "pictures" / name / "flat.png")
    return tmp_path / "pictures"


def test_means_and_deviations_of_all_channels(saek_json, folder):
    found = saek_json("data", "stats", str(folder))
    assert (found["pictures"], found["pixels"]) == (2, 3200)
    red, green, _, gray = found["channels"]
    assert red == {"name": "red", "mean": 0.5, "std": 0.5, "picture_mean": 0.5, "picture_std": 0.0}
    assert green["mean"] == green["std"] == 0
    assert gray["mean"] == pytest.approx(0.5 * 76 / 255)


def test_a_part_on_standard_output(saek, folder):
    result = saek("data", "stats", str(folder), "--split", "test")
    assert result.exit_code == Exit.OK, result.stderr
    assert "1 picture, 1,600 pixels" in result.stdout
    red = next(line.split() for line in result.stdout.splitlines() if line.startswith("red"))
    assert red == ["red", "1.00000000", "0.00000000", "1.00000000", "0.00000000"]


def test_a_part_without_pictures_is_told(saek, folder):
    refused = saek("data", "stats", str(folder), "--split", "later")
    assert refused.exit_code == Exit.INCOMPLETE
    assert "no pictures in later" in refused.stderr
