"""Estimated time and disk space of runs."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from restoration.study.estimate import Estimator, bytes_kept
from restoration.study.loop import train_seed
from restoration.study.matrix import PlannedRun
from restoration.study.recipe import SeedRecipe
from restoration.study.run_folder import SeedRunFolder

Recipe = Callable[..., SeedRecipe]


def test_the_bytes_are_those_that_a_run_leaves(eight: Path, recipe: Recipe, tmp_path: Path) -> None:
    plan = recipe(epochs=3, checkpoint_epochs=2, batch=6)

    train_seed(plan, eight, tmp_path / "run")

    found = [*(tmp_path / "run").glob("*.safetensors"), tmp_path / "run" / "state.pt"]
    assert bytes_kept(plan) == pytest.approx(sum(path.stat().st_size for path in found), rel=0.1)


def test_the_full_width_takes_gigabytes(recipe: Recipe) -> None:
    plan = recipe(base=64, epochs=100, checkpoint_epochs=20)

    assert bytes_kept(plan) == pytest.approx(4 * (5 * 54.40e6 + 3 * (54.40e6 + 2.77e6)), rel=1e-3)


def test_a_started_run_has_its_own_throughput(recipe: Recipe, tmp_path: Path) -> None:
    folder = SeedRunFolder(tmp_path)
    folder.metrics.write_text(json.dumps({"spent": {"samples": 50, "seconds": 20.0}}))

    assert Estimator(torch.device("cpu")).seconds_per_picture(PlannedRun(recipe(), folder, 1)) == 0.4


def test_networks_of_one_shape_are_timed_once(recipe: Recipe, tmp_path: Path) -> None:
    estimator = Estimator(torch.device("cpu"))
    plans = [
        PlannedRun(recipe(name=name, batch=batch), SeedRunFolder(tmp_path / name), 0)
        for name, batch in (("a", 1), ("b", 4))
    ]

    paces = [estimator.seconds_per_picture(plan) for plan in plans]

    assert paces[0] == paces[1] > 0
    assert len(estimator.timed) == 1
