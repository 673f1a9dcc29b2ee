"""A small gallery with a manifest, and models with known output."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from restoration import LoadedModel, ModelCard
from restoration.evaluation.evaluated_models import EvaluatedModel
from restoration.evaluation.features import FeatureNetwork
from restoration.generators.models import InputSpec


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def eye() -> FeatureNetwork:
    return FeatureNetwork()


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Crops of photographs: four to train on; held out two of documerica, two of places and a gray one."""
    folder = tmp_path_factory.mktemp("gallery")
    rng = np.random.default_rng(7)
    rows = []
    for split, name, count in (("train", "people", 4), ("eval", "documerica", 2), ("eval", "places", 2)):
        photograph = data.coffee() if name == "documerica" else data.astronaut()
        (folder / split / name).mkdir(parents=True)
        for number in range(count):
            top, left = rng.integers(0, np.array(photograph.shape[:2]) - 200)
            path = f"{split}/{name}/{number}.png"
            Image.fromarray(photograph[top : top + 200, left : left + 160]).save(folder / path)
            rows.append((path, split, name))
    Image.fromarray(data.camera()[:100, :90]).save(folder / "eval/places/gray.png")
    rows.append(("eval/places/gray.png", "eval", "places"))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "split", "set"), *rows])
    return folder


class Painter:
    """Real functions from gray to chroma: nothing at all, a little by tone, or one strong color."""

    def __init__(self, blue: float, red: float) -> None:
        self.name = f"test/cpu/{blue}/{red}"
        self.blue, self.red = blue, red

    def predict(self, gray: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack((self.blue * gray, self.red * gray), axis=1).astype(np.float32)


@pytest.fixture(scope="session")
def subject() -> Callable[..., EvaluatedModel]:
    """Make a model that paints each tone in proportion to its luminance."""

    def make(name: str = "sepia", blue: float = -0.06, red: float = 0.05) -> EvaluatedModel:
        card = ModelCard(name, "", "painter", 1, 2, 32, 64, "fixed", "Apache-2.0", "none", "0" * 64, 0)
        return EvaluatedModel(name, card, LoadedModel(Painter(blue, red), InputSpec(64, 32), "0" * 64))

    return make
