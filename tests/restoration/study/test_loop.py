"""A run of the study: its files, and the same weights after a kill."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from restoration.study.dispatch import train_by_recipe
from restoration.study.loop import train_seed
from restoration.study.recipe import SeedRecipe, as_toml
from restoration.study.run_folder import SeedRunFolder
from restoration.training import TrainingError, TrainingProgress

Recipe = Callable[..., SeedRecipe]


class Stopped(Exception):
    """The end of a process, as the loop sees it."""


def test_a_run_explains_itself(eight: Path, recipe: Recipe, tmp_path: Path) -> None:
    told: list[TrainingProgress] = []

    result = train_seed(recipe(batch=4), eight, tmp_path / "run", progress=told.append)

    folder = SeedRunFolder(tmp_path / "run")
    assert [(one.phase, one.step, one.steps) for one in told] == [("epoch 1", 2, 4), ("epoch 2", 4, 4)]
    assert folder.recipe() == recipe(batch=4)
    assert folder.kept() == (1, 2)
    assert [line["epoch"] for line in folder.lines()] == ["1", "2"]
    assert json.loads(folder.facts.read_text())["pictures"] == {"train": 6, "test": 2}
    assert json.loads(folder.metrics.read_text())["epochs"] == 2
    assert (result.steps, result.test[0].pictures) == (4, 2)
    assert result.spent.samples == 12
    with Image.open(tmp_path / "run" / "sheets" / "epoch-002.png") as sheet:
        assert sheet.size == (2 * 192, 3 * 192)


def test_the_last_epoch_is_always_kept(eight: Path, recipe: Recipe, tmp_path: Path) -> None:
    train_seed(recipe(epochs=3, checkpoint_epochs=2, batch=6), eight, tmp_path / "run")

    assert SeedRunFolder(tmp_path / "run").kept() == (2, 3)


def test_learning_lowers_the_distance(eight: Path, recipe: Recipe, tmp_path: Path) -> None:
    plan = recipe(epochs=8, rate=4e-3, checkpoint_epochs=8)

    train_seed(plan, eight, tmp_path / "run")

    distances = [float(line["l1"]) for line in SeedRunFolder(tmp_path / "run").lines()]
    assert distances[-1] < 0.8 * distances[0]


@pytest.fixture(scope="module")
def whole(eight: Path, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in batches of two that is not stopped."""
    run = tmp_path_factory.mktemp("whole")
    train_seed(recipe(batch=2, state_minutes=0.0), eight, run)
    return run


@pytest.mark.parametrize("stop", [2, 3, 6])
def test_a_stopped_run_goes_on_to_the_same_weights(
    eight: Path, recipe: Recipe, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    monkeypatch.setattr("restoration.study.loop._REPORT_STEPS", 1)
    plan = recipe(batch=2, state_minutes=0.0)

    def stopping(report: TrainingProgress) -> None:
        if report.step == stop + 1:
            raise Stopped

    with pytest.raises(Stopped):
        train_seed(plan, eight, tmp_path / "halves", progress=stopping if stop < 6 else _at_the_end)
    train_seed(plan, eight, tmp_path / "halves")

    _require_same_run(tmp_path / "halves", whole)


def _at_the_end(report: TrainingProgress) -> None:
    if report.step == report.steps:
        raise Stopped


def test_a_longer_run_begins_like_a_shorter_one(eight: Path, recipe: Recipe, tmp_path: Path) -> None:
    train_seed(recipe(batch=3), eight, tmp_path / "whole")
    train_seed(recipe(batch=3, epochs=1), eight, tmp_path / "longer")

    result = train_seed(recipe(batch=3), eight, tmp_path / "longer")

    assert result.steps == 4
    _require_same_run(tmp_path / "longer", tmp_path / "whole")


def test_a_finished_run_is_left_as_it_is(eight: Path, recipe: Recipe, tmp_path: Path) -> None:
    first = train_seed(recipe(batch=6), eight, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("*.safetensors")}

    again = train_seed(recipe(batch=6, epochs=1), eight, tmp_path / "run")

    assert again.test == first.test
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "run").glob("*.safetensors")}
    assert SeedRunFolder(tmp_path / "run").recipe().epochs == 2


def test_a_run_of_another_recipe_is_refused(eight: Path, recipe: Recipe, tmp_path: Path) -> None:
    train_seed(recipe(epochs=1, batch=6), eight, tmp_path / "run")

    with pytest.raises(TrainingError, match="another recipe"):
        train_seed(recipe(epochs=1, batch=6, kernel=3), eight, tmp_path / "run")
    with pytest.raises(TrainingError, match="holds a run"):
        train_seed(recipe(epochs=1, batch=6), eight, tmp_path / "run", resume=False)


PROGRAM = """
import sys
from pathlib import Path
from restoration.study.dispatch import train_by_recipe
from restoration.study import loop

loop._REPORT_STEPS = 1
train_by_recipe(*map(Path, sys.argv[1:]))
"""


def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(
    eight: Path, recipe: Recipe, tmp_path: Path
) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(as_toml(recipe(epochs=4, state_minutes=0.0)))
    train_by_recipe(path, eight, tmp_path / "whole")
    command = [sys.executable, "-c", PROGRAM, str(path), str(eight), str(tmp_path / "killed")]

    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        for _ in range(1200):
            if SeedRunFolder(tmp_path / "killed").epochs() >= 1:
                break
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert 1 <= SeedRunFolder(tmp_path / "killed").epochs() < 4
    train_by_recipe(path, eight, tmp_path / "killed")

    _require_same_run(tmp_path / "killed", tmp_path / "whole")


def _require_same_run(first: Path, second: Path) -> None:
    assert _curve(first) == _curve(second)
    names, others = ({path.name for path in run.glob("*.safetensors")} for run in (first, second))
    assert names == others
    for name in names:
        one, other = load_file(first / name), load_file(second / name)
        assert all(np.array_equal(one[key], other[key]) for key in one.keys() | other.keys())


def _curve(run: Path) -> list[dict[str, str]]:
    """The lines of the curve, without how fast they were made."""
    with (run / "curve.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return [{key: row[key] for key in row.keys() - {"samples_per_second"}} for row in rows]
