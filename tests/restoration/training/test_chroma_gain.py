import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from skimage import data

from restoration.generators.networks.architectures import SeedChroma
from restoration.generators.networks.lite0_unet import Lite0Unet
from restoration.training import train
from restoration.training.chroma_gain import MAX_GAIN, intensified, needed_gain
from restoration.training.dataset import Picture, chroma_of
from restoration.training.metrics import HeldOutPicture, held_out_pictures
from restoration.training.run_folder import ChromaRunFolder

PICTURE = Picture("coffee", "table", np.asarray(data.coffee())[::4, ::4])
AGAINST = held_out_pictures([PICTURE], 96)


def paler(part: float, one: HeldOutPicture = AGAINST[0]) -> NDArray[np.float32]:
    return np.asarray(part * chroma_of(one.rgb)[None], dtype=np.float32)


def test_a_picture_colorful_enough_needs_no_gain() -> None:
    assert needed_gain(lambda _: paler(0.8), AGAINST, 0.6) == 1.0


def test_the_gain_makes_a_pale_picture_as_colorful_as_asked() -> None:
    gain = needed_gain(lambda _: paler(0.4), AGAINST, 0.6)

    assert 1.3 < gain < 1.7
    assert needed_gain(lambda _: intensified(paler(0.4), gain), AGAINST, 0.59) == 1.0


def test_gray_cannot_be_stretched_to_color() -> None:
    assert needed_gain(lambda _: paler(0.0), AGAINST, 0.6) == MAX_GAIN


@pytest.mark.parametrize("build", [Lite0Unet, lambda: SeedChroma(4)])
def test_an_intensified_generator_gives_the_predicted_chroma(build: type[Lite0Unet]) -> None:
    torch.manual_seed(0)
    network = build().eval()
    gray = torch.rand(1, 1, 256, 256)
    with torch.no_grad():
        before = network(gray).numpy()
        network.intensify(1.5)
        after = network(gray).numpy()

    np.testing.assert_allclose(after, intensified(before, 1.5), atol=2e-3)
    assert not np.allclose(after, before)


def test_a_run_ends_with_the_colorfulness_of_its_recipe(
    album: Path, smoke_recipe: Callable[..., Path], tmp_path: Path
) -> None:
    recipe = smoke_recipe(first=8, second=4)
    recipe.write_text(f"colorfulness = 0.6\n{recipe.read_text()}")
    run = ChromaRunFolder(tmp_path / "run")

    train(recipe, album, run.path)
    once = load_file(run.best)
    gain = json.loads(run.metrics.read_text())["gain"]
    train(recipe, album, run.path)

    assert gain > 1.0
    assert json.loads(run.metrics.read_text())["gain"] == gain
    learned, twice = load_file(run.learned), load_file(run.best)
    assert all(torch.equal(once[name], twice[name]) for name in once)
    assert torch.equal(once["chroma.weight"], learned["chroma.weight"] * gain)
