"""Training and test pictures of the study, kept apart."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from restoration.study import loop
from restoration.study.dataset import batch_members, load_dataset, steps_per_epoch
from restoration.study.preprocessing import gray_of
from restoration.study.recipe import SeedRecipe
from restoration.training import TrainingError

Recipe = Callable[..., SeedRecipe]


def test_no_test_picture_is_ever_in_a_training_batch(eight: Path, recipe: Recipe) -> None:
    dataset, plan = load_dataset(eight), recipe(epochs=5, batch=4)
    gray, true = zip(*loop._batches(0, plan, dataset), strict=True)

    shown = {one.numpy().tobytes() for batch in true for one in batch}
    conditions = {one.numpy().tobytes() for batch in gray for one in batch}

    for rgb in dataset.test.rgb:
        assert plan.preprocessing.target(rgb[None])[0].numpy().tobytes() not in shown
        assert plan.preprocessing.condition(gray_of(rgb[None]))[0].numpy().tobytes() not in conditions
    learned = {plan.preprocessing.target(rgb[None])[0].numpy().tobytes() for rgb in dataset.train.rgb}
    assert shown == learned


@given(st.integers(1, 50), st.integers(1, 20), st.integers(0, 5), st.integers(0, 3))
def test_an_epoch_shows_every_picture_once(pictures: int, batch: int, seed: int, epoch: int) -> None:
    pace = steps_per_epoch(pictures, batch)
    members = [batch_members(pictures, batch, seed, epoch * pace + place) for place in range(pace)]

    assert all(0 < len(one) <= batch for one in members)
    assert sorted(np.concatenate(members).tolist()) == list(range(pictures))


def test_every_epoch_has_an_order_of_its_own() -> None:
    orders = {tuple(batch_members(30, 30, 1, epoch).tolist()) for epoch in range(10)}

    assert len(orders) == 10


def test_the_sides_come_from_their_sub_folders(eight: Path) -> None:
    dataset = load_dataset(eight)

    assert dataset.train.names == tuple(f"train/{number}.png" for number in range(6))
    assert dataset.test.names == ("test/6.png", "test/7.png")
    assert dataset.train.rgb.shape == (6, 256, 256, 3)


def test_a_picture_on_both_sides_is_refused(eight: Path, tmp_path: Path) -> None:
    folder = tmp_path / "leaking"
    shutil.copytree(eight, folder)
    shutil.copy(folder / "train" / "3.png", folder / "test" / "again.png")

    with pytest.raises(TrainingError, match=r"training picture train/3\.png") as caught:
        load_dataset(folder)

    assert caught.value.path == folder / "test" / "again.png"


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_folder_without_one_of_the_sides_is_told(eight: Path, tmp_path: Path, missing: str) -> None:
    shutil.copytree(eight, tmp_path / "half")
    shutil.rmtree(tmp_path / "half" / missing)

    with pytest.raises(TrainingError, match=f"sub-folder {missing}"):
        load_dataset(tmp_path / "half")


def test_other_sizes_are_cut_to_their_central_square(eight: Path, tmp_path: Path) -> None:
    shutil.copytree(eight, tmp_path / "wide")
    wide = Image.new("RGB", (600, 300), (200, 0, 0))
    wide.paste((0, 0, 200), (150, 0, 450, 300))
    wide.save(tmp_path / "wide" / "test" / "wide.png")

    dataset = load_dataset(tmp_path / "wide")

    assert dataset.test.rgb.shape == (3, 256, 256, 3)
    assert (dataset.test.rgb[2] == (0, 0, 200)).all(axis=-1).mean() > 0.95
