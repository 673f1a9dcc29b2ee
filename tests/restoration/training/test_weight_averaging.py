"""Averaging of the weights of branches."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from restoration.training import TrainingProgress, train
from restoration.training import loop as training_loop


class Stopped(Exception):
    """The end of a process, as the loop sees it."""


@pytest.fixture(autouse=True)
def _a_line_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_loop, "CURVE_STEPS", 1)


@pytest.fixture(scope="module")
def branched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps, then three branches of two steps, with some dropout and crops of all shapes."""
    path = tmp_path_factory.mktemp("recipe") / "branched.toml"
    path.write_text(
        """
        name = "branched"
        checkpoint_minutes = 0.0
        evaluation_side = 96
        threads = 1
        precision = "fp32"

        [model]
        pretrained = false
        dropout = 0.3

        [data]
        squeeze = 1.3

        [[phase]]
        name = "start"
        samples = 4
        size = 32
        batch = 2

        [[phase]]
        name = "branches"
        samples = 4
        branches = 3
        size = 32
        batch = 2
        rate_first = 2e-3
        rate_last = 1e-3
        """
    )
    return path


@dataclass(frozen=True)
class Run:
    path: Path
    averages: dict[int, dict[str, np.ndarray]]
    """The averaged weights in the checkpoint of each step."""


@pytest.fixture(scope="module")
def whole(album: Path, branched: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that is not stopped, of eight steps."""
    run = Run(tmp_path_factory.mktemp("whole"), {})

    def keep(step: int) -> None:
        kept = torch.load(run.path / "state.pt", weights_only=True)["average"]
        run.averages[step] = {name: one.numpy() for name, one in kept.items() if one.is_floating_point()}

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(training_loop, "CURVE_STEPS", 1)
        train(branched, album, run.path, progress=lambda now: keep(now.step - 1) if now.step > 1 else None)
    keep(8)
    return run


def test_a_phase_ends_with_the_mean_of_origin_and_branches(whole: Run) -> None:
    began, one, two, three = (whole.averages[steps] for steps in (2, 4, 6, 8))
    name = "chroma.weight"
    first = 2 * one[name] - began[name]
    second = 3 * two[name] - 2 * one[name]
    third = 4 * three[name] - 3 * two[name]
    ends = [first, second, third]
    assert np.allclose(three[name], np.mean([began[name], *ends], axis=0), atol=1e-6)
    assert all(np.abs(end - began[name]).max() > 1e-4 for end in ends)
    assert np.abs(first - second).max() > 1e-5


def test_the_rate_falls_in_each_branch_anew(whole: Run) -> None:
    with (whole.path / "curve.csv").open(newline="") as lines:
        rates = [float(row["rate"]) for row in csv.DictReader(lines) if row["phase"] == "branches"]
    assert rates == [2e-3, 1.5e-3] * 3


@pytest.mark.parametrize("stop", [3, 4, 5])
def test_a_run_stopped_in_a_branch_ends_as_if_it_had_not_been(
    album: Path, branched: Path, whole: Run, tmp_path: Path, stop: int
) -> None:
    def stopping(now: TrainingProgress) -> None:
        if now.step == stop + 1:
            raise Stopped

    with pytest.raises(Stopped):
        train(branched, album, tmp_path / "halves", progress=stopping)
    train(branched, album, tmp_path / "halves")
    first, second = (load_file(run / "best.safetensors") for run in (tmp_path / "halves", whole.path))
    assert all(np.array_equal(first[name].numpy(), second[name].numpy()) for name in first)
    assert (tmp_path / "halves/curve.csv").read_text().count("\n") == (
        whole.path / "curve.csv"
    ).read_text().count("\n")
