"""A recipe that takes seconds."""

from collections.abc import Callable
from pathlib import Path

import pytest

RECIPE = """
name = "smoke"
seed = 3
checkpoint_minutes = 0.0
evaluation_side = 96
threads = 1
precision = "fp32"

[model]
pretrained = false

[[phase]]
name = "first"
samples = {first}
size = 32
batch = 2
rate_first = 1e-3
rate_last = 1e-3

[[phase]]
name = "second"
samples = {second}
size = 32
batch = 2
rate_first = 1e-3
rate_last = 1e-4
unfreeze_from = 11
adversarial = 0.01
critic_first = 2
"""


@pytest.fixture(scope="session")
def write_recipe() -> Callable[..., Path]:
    """Write a short recipe; `first` and `second` are the samples of its phases."""

    def write(path: Path, first: int = 4, second: int = 4) -> Path:
        path.write_text(RECIPE.format(first=first, second=second))
        return path

    return write


@pytest.fixture
def smoke_recipe(tmp_path: Path, write_recipe: Callable[..., Path]) -> Callable[..., Path]:
    """Write the short recipe into the test's folder."""

    def make(first: int = 4, second: int = 4, name: str = "smoke.toml") -> Path:
        return write_recipe(tmp_path / name, first, second)

    return make
