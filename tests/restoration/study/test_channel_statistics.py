"""Mean and standard deviation of the channels of a folder."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration.study.channel_statistics import channel_statistics, measure_channels
from restoration.training import TrainingError

LEVELS = ((0, 51, 102), (255, 153, 102))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two flat pictures, the second four times as large as the first."""
    for part, side, level in (("train", 32, LEVELS[0]), ("test", 64, LEVELS[1])):
        (tmp_path / part).mkdir()
        Image.new("RGB", (side, side), level).save(tmp_path / part / "flat.png")
    return tmp_path


def test_statistics_weigh_pixels_or_pictures_equally(folder: Path) -> None:
    found = channel_statistics(folder)

    red, green, blue, _ = found.channels
    assert (found.pictures, found.pixels) == (2, 32 * 32 + 64 * 64)
    assert [one.name for one in found.channels] == ["red", "green", "blue", "gray"]
    assert (red.mean, green.mean, blue.mean) == pytest.approx((0.8, 0.52, 0.4))
    assert (red.std, green.std, blue.std) == pytest.approx((0.4, 0.16, 0.0))
    assert (red.picture_mean, red.picture_std) == pytest.approx((0.5, 0.0))


def test_gray_is_the_luma(folder: Path) -> None:
    gray = channel_statistics(folder, "train").channels[-1]

    assert gray.mean == pytest.approx(round(0.587 * 51 + 0.114 * 102) / 255)
    assert gray.std == 0


def test_the_figures_are_those_of_all_pixels_at_once() -> None:
    pictures = [data.astronaut()[:64, :64], data.coffee()[:80, :64]]

    found = measure_channels(pictures)

    pixels = np.concatenate([one.reshape(-1, 3) for one in pictures]) / 255.0
    assert [one.mean for one in found.channels[:3]] == pytest.approx(pixels.mean(axis=0).tolist())
    assert [one.std for one in found.channels[:3]] == pytest.approx(pixels.std(axis=0).tolist())


def test_a_split_is_a_part_of_the_manifest_or_else_a_sub_folder(folder: Path) -> None:
    assert channel_statistics(folder, "test").pictures == 1

    rows = ["path,split,set", "train/flat.png,train,one", "test/flat.png,eval,one"]
    (folder / "manifest.csv").write_text("\n".join(rows))

    assert channel_statistics(folder, "eval").channels[0].mean == 1.0
    assert channel_statistics(folder, "train").channels[0].mean == 0.0
    assert channel_statistics(folder).pictures == 2
    with pytest.raises(TrainingError, match="no split 'later'") as caught:
        channel_statistics(folder, "later")
    assert "validation" in caught.value.remedy


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no pictures in train") as caught:
        channel_statistics(tmp_path, "train")

    assert caught.value.path == tmp_path


def test_a_damaged_picture_is_told_with_its_name(folder: Path) -> None:
    (folder / "train" / "torn.jpg").write_bytes(b"\xff\xd8\xff nothing")

    with pytest.raises(TrainingError, match="cannot be decoded") as caught:
        channel_statistics(folder)

    assert caught.value.path == folder / "train" / "torn.jpg"
