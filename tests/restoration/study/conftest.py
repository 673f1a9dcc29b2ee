"""Six training and two test pictures, and short recipes of tiny networks."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from restoration.study.recipe import SeedRecipe

Recipe = Callable[..., SeedRecipe]


@pytest.fixture(scope="session")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six pictures in train and two in test, all of 256 x 256."""
    folder = tmp_path_factory.mktemp("eight")
    photographs = (data.astronaut(), data.coffee(), data.chelsea())
    for number in range(8):
        part = folder / ("train" if number < 6 else "test")
        part.mkdir(exist_ok=True)
        crop = photographs[number % 3][5 * number : 5 * number + 256, 9 * number : 9 * number + 256]
        Image.fromarray(crop).save(part / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Make a recipe of tiny networks; any entry may be another."""
    tiny = SeedRecipe("tiny", "a test", "a", base=2, epochs=2, checkpoint_epochs=1, threads=1)

    def make(**entries: object) -> SeedRecipe:
        return dataclasses.replace(tiny, **entries)  # type: ignore[arg-type]

    return make
