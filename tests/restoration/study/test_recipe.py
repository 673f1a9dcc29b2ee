"""Recipes of the study: defaults and errors."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.study.preprocessing import Preprocessing
from restoration.study.recipe import SeedRecipe, as_toml, read_seed_recipe
from restoration.training import TrainingError, shipped_recipe
from restoration.training.recipe import recipe_kind

Recipe = Callable[..., SeedRecipe]
SHIPPED = sorted(shipped_recipe("seed/pix2pix").parent.glob("*.toml"))
HEAD = 'kind = "seed"\nname = "x"\nabout = "y"\nfigure = "a"\n'


def test_the_study_to_the_letter_is_what_a_recipe_leaves_out() -> None:
    written = read_seed_recipe(shipped_recipe("seed/pix2pix"))

    assert written == SeedRecipe("pix2pix", "the study to the letter", "a")
    assert (written.epochs, written.batch, written.rate, written.betas) == (100, 1, 2e-4, (0.5, 0.999))
    assert (written.base, written.kernel, written.patch_map, written.l1_weight) == (64, 4, 16, 100)
    assert written.preprocessing == Preprocessing()


def test_the_folder_holds_the_whole_matrix() -> None:
    found = {path.stem: read_seed_recipe(path) for path in SHIPPED}

    assert all(name == one.name for name, one in found.items())
    assert {one.figure for one in found.values()} == {"a", "b", "c", "d"}
    assert {one.batch for one in found.values()} == {1, 4, 16}
    assert {one.kernel for one in found.values()} == {3, 4, 5}
    assert {one.patch_map for one in found.values()} == {8, 16}
    assert {one.critic for one in found.values()} == {"conditional", "unconditional", "none"}
    assert {(one.epochs, one.checkpoint_epochs, one.base) for one in found.values()} == {(100, 20, 64)}


@given(st.text('abc "\\äé', min_size=1), st.floats(1e-6, 1), st.integers(1, 64))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, about: str, rate: float, base: int
) -> None:
    one = SeedRecipe("x", about, "d", base=base, rate=rate, preprocessing=Preprocessing(gray_mean=rate))
    path = tmp_path_factory.mktemp("written") / "x.toml"
    path.write_text(as_toml(one), "utf-8")

    assert read_seed_recipe(path) == one


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "cannot be read"),
        ('name = "x"', "not a recipe of the study"),
        (HEAD + "surprise = 1", "unknown entry 'surprise'"),
        ('kind = "seed"\nname = "x"', "missing entry 'about', missing entry 'figure'"),
        (HEAD + "kernel = 7", "kernel = 7"),
        (HEAD + 'precision = "float16"', "precision = 'float16'"),
        (HEAD + "patch_map = 4", "patch_map = 4"),
        (HEAD + 'critic = "kind"', "critic = 'kind'"),
        (HEAD + "epochs = 0", "epochs = 0"),
        (HEAD + "batch = 1.5", "batch = 1.5"),
        (HEAD + 'critic = "none"\nl1_weight = 0.0', "the generator has no loss"),
        (HEAD + "[preprocessing]\nmean = 1", "unknown entry 'mean'"),
        (HEAD + "[preprocessing]\ncolor_mean = [0.5]", "color_mean"),
        (HEAD + "[preprocessing]\ngray_std = 0.0", "gray_std"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_told_with_its_file(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)

    with pytest.raises(TrainingError, match=words) as caught:
        read_seed_recipe(path)

    assert caught.value.path == path
    assert caught.value.remedy


def test_the_fingerprint_covers_what_decides_the_weights(recipe: Recipe) -> None:
    same = ({"epochs": 7}, {"threads": 2}, {"about": "else"}, {"checkpoint_epochs": 5}, {"figure": "b"})
    others = (
        {"seed": 2},
        {"precision": "bfloat16"},
        {"base": 4},
        {"kernel": 3},
        {"batch": 2},
        {"rate": 1e-4},
        {"patch_map": 8},
    )

    assert all(recipe(**entries).fingerprint() == recipe().fingerprint() for entries in same)
    assert len({recipe(**entries).fingerprint() for entries in ({}, *others)}) == 1 + len(others)


def test_a_recipe_tells_its_kind(tmp_path: Path) -> None:
    assert recipe_kind(shipped_recipe("seed/l1")) == "seed"
    assert recipe_kind(shipped_recipe("archive")) == ""
    assert recipe_kind(tmp_path / "missing.toml") == ""
