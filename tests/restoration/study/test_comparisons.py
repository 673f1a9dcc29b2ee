"""Comparisons of runs, and the planned matrix."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from restoration.study.comparisons import comparisons
from restoration.study.matrix import RunSelection, plan_runs, read_matrix, run_folder, runs_made
from restoration.study.recipe import SeedRecipe, as_toml
from restoration.training import TrainingError

Recipe = Callable[..., SeedRecipe]
Made = Callable[..., None]


@pytest.fixture
def made(tmp_path: Path, recipe: Recipe) -> Made:
    """Put a run there, with the generators that it has kept."""

    def make(name: str, figure: str, kept: Sequence[int], **entries: object) -> None:
        one = recipe(name=name, figure=figure, **{"checkpoint_epochs": 20, **entries})
        folder = run_folder(tmp_path, one)
        folder.path.mkdir(parents=True)
        (folder.path / "recipe.toml").write_text(as_toml(one))
        for epoch in kept:
            folder.weights(epoch).touch()
            folder.metrics.touch()

    return make


def _labels(out: Path) -> dict[str, list[str]]:
    return {one.name: [shown.label for shown in one.shown] for one in comparisons(runs_made(out))}


def test_others_are_shown_at_the_last_common_epoch(made: Made, tmp_path: Path) -> None:
    made("pix2pix", "a", (20, 40, 60))
    made("l1", "a", (20, 40))
    made("patch-8", "c", (20,))

    assert _labels(tmp_path) == {
        "a-base2": ["pix2pix, 20 epochs", "pix2pix, 60 epochs", "pix2pix, 40 epochs", "l1, 40 epochs"],
        "c-base2": ["pix2pix, 20 epochs", "patch-8, 20 epochs"],
    }


def test_widths_are_not_mixed(made: Made, tmp_path: Path) -> None:
    made("pix2pix", "a", (20,), base=4)
    made("pix2pix", "a", (20, 100))
    made("batch-4", "d", (100,))

    assert _labels(tmp_path) == {
        "a-base4": ["pix2pix, 20 epochs"],
        "a-base2": ["pix2pix, 20 epochs", "pix2pix, 100 epochs"],
        "d-base2": ["pix2pix, 100 epochs", "batch-4, 100 epochs"],
    }


def test_precisions_are_not_mixed(made: Made, tmp_path: Path) -> None:
    made("pix2pix", "a", (20,), precision="bfloat16")
    made("pix2pix", "a", (20, 100))
    made("batch-4", "d", (20,), precision="bfloat16")

    assert _labels(tmp_path) == {
        "a-base2": ["pix2pix, 20 epochs", "pix2pix, 100 epochs"],
        "a-base2-bfloat16": ["pix2pix, 20 epochs"],
        "d-base2-bfloat16": ["pix2pix, 20 epochs", "batch-4, 20 epochs"],
    }


def test_an_earlier_epoch_is_not_the_first_checkpoint(made: Made, tmp_path: Path) -> None:
    made("pix2pix", "a", (10, 20, 100))
    made("l1", "a", (10,))

    assert _labels(tmp_path)["a-base2"] == [
        "pix2pix, 20 epochs",
        "pix2pix, 100 epochs",
        "pix2pix, 10 epochs",
        "l1, 10 epochs",
    ]


def test_without_a_common_epoch_each_shows_its_last(made: Made, tmp_path: Path) -> None:
    made("pix2pix", "a", (20,))
    made("batch-4", "d", (7,))

    assert _labels(tmp_path)["d-base2"] == ["pix2pix, 20 epochs", "batch-4, 7 epochs"]


def test_a_run_that_kept_nothing_yet_is_not_judged(made: Made, tmp_path: Path) -> None:
    made("pix2pix", "a", ())

    assert runs_made(tmp_path) == ()


def test_a_run_killed_before_its_first_metrics_is_not_judged(made: Made, tmp_path: Path) -> None:
    made("pix2pix", "a", (20,))
    (tmp_path / "runs" / "pix2pix-base2" / "metrics.json").unlink()

    assert runs_made(tmp_path) == ()


def test_a_plan_is_limited_in_names_epochs_and_width(recipe: Recipe, tmp_path: Path) -> None:
    matrix = (recipe(name="one", epochs=100), recipe(name="two", epochs=10))

    plans = plan_runs(matrix, tmp_path, RunSelection(epochs=20, base=8))

    assert [(one.recipe.name, one.recipe.epochs, one.recipe.base) for one in plans] == [
        ("one", 20, 8),
        ("two", 10, 8),
    ]
    assert [one.left for one in plans] == [20, 10]
    assert plans[0].folder.path == tmp_path / "runs" / "one-base8"
    assert [one.recipe.name for one in plan_runs(matrix, tmp_path, RunSelection(("two",)))] == ["two"]
    with pytest.raises(TrainingError, match="no recipe is called 'three'") as caught:
        plan_runs(matrix, tmp_path, RunSelection(("three",)))
    assert "one, two" in caught.value.remedy


def test_a_folder_without_recipes_and_twins_in_it_are_told(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no recipes") as caught:
        read_matrix(tmp_path)
    assert caught.value.path == tmp_path
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(as_toml(recipe(name="twin")))
    with pytest.raises(TrainingError, match="two recipes are called twin"):
        read_matrix(tmp_path)
