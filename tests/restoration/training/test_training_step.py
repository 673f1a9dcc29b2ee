"""Training with the statistics of whole pictures."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from restoration.generators.networks.architectures import SeedChroma
from restoration.generators.networks.statistics import freeze_statistics, measure_pooled
from restoration.training import TrainingError, TrainingProgress, train
from restoration.training import loop as training_loop
from restoration.training.recipe import Phase, TrainingRecipe
from restoration.training.training_step import sample_chroma

RECIPE = """
name = "pictures"
seed = 3
checkpoint_minutes = 0.0
evaluation_side = 64
threads = 1

[model]
architecture = "{architecture}"
pretrained = false
statistics = "{statistics}"

[[phase]]
name = "only"
samples = 6
size = 256
batch = 2
adversarial = 0.01
critic_first = 2
"""


class Stopped(Exception):
    """The end of a process, as the loop sees it."""


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Path]:
    def make(architecture: str = "seed-unet-half", statistics: str = "picture") -> Path:
        path = tmp_path / "pictures.toml"
        path.write_text(RECIPE.format(architecture=architecture, statistics=statistics))
        return path

    return make


def noise(count: int, number: int) -> Tensor:
    return torch.rand(count, 1, 256, 256, generator=torch.Generator().manual_seed(number))


def plan(precision: str) -> TrainingRecipe:
    return TrainingRecipe("p", (Phase("only", samples=4),), precision=precision)


def test_crops_use_the_statistics_of_their_whole_pictures() -> None:
    torch.manual_seed(1)
    network = SeedChroma(base=4).eval()
    gray, wholes = noise(3, 1), noise(2, 2)

    with torch.no_grad():
        made = sample_chroma(network, gray, wholes, plan("fp32"))

        assert torch.allclose(made[0], network(gray[:1])[0], atol=1e-6)
        for crop in range(2):
            run = freeze_statistics(network, measure_pooled(network, wholes[crop : crop + 1]))
            assert torch.allclose(made[1 + crop], run(gray[1 + crop : 2 + crop])[0], atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("crops", [0, 1, 2])
def test_every_weight_learns(precision: str, crops: int) -> None:
    network = SeedChroma(base=4)

    made = sample_chroma(network, noise(2, 1), noise(crops, 2), plan(precision))
    made.square().mean().backward()

    assert made.dtype == torch.float32
    assert all(bool(parameter.grad.any()) for parameter in network.parameters())


@pytest.mark.slow
def test_a_stopped_run_on_pictures_goes_on_with_the_same_curve(
    album: Path, recipe: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(report: TrainingProgress) -> None:
        if report.step == 2:
            raise Stopped

    monkeypatch.setattr(training_loop, "CURVE_STEPS", 1)
    train(recipe(), album, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(recipe(), album, tmp_path / "halves", progress=stopping)
    train(recipe(), album, tmp_path / "halves")

    losses = [[row["loss"] for row in _curve(tmp_path / run)] for run in ("whole", "halves")]
    assert losses[0] == losses[1]
    assert np.isfinite([float(loss) for loss in losses[0] if loss]).all()
    spent = [
        json.loads((tmp_path / run / "metrics.json").read_text())["spent"] for run in ("whole", "halves")
    ]
    assert [cost["samples"] for cost in spent] == [6, 6]
    assert all(0 <= cost["waiting_share"] <= 1 and cost["cpu_seconds"] > 0 for cost in spent)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_a_stopped_run_resumes_and_reports_throughput(
    album: Path, recipe: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[TrainingProgress] = []

    def stopping(report: TrainingProgress) -> None:
        if report.step == 40:
            raise Stopped

    monkeypatch.setattr(training_loop, "CURVE_STEPS", 20)
    path = recipe()
    path.write_text(path.read_text().replace("samples = 6", "samples = 160"))
    with pytest.raises(Stopped):
        train(path, album, tmp_path / "run", progress=stopping)
    result = train(path, album, tmp_path / "run", progress=told.append)

    assert [report.step for report in told] == [40, 60, 80]
    assert result.spent.samples == 160
    assert any(report.device_load is not None for report in told)
    assert all(np.isfinite(report.loss) for report in told)


def test_a_network_without_input_statistics_is_refused(
    album: Path, recipe: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="takes no statistics from its input") as caught:
        train(recipe("lite0-unet"), album, tmp_path / "run")

    assert "seed-unet-half" in caught.value.remedy


def test_unknown_statistics_are_told(album: Path, recipe: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="unknown statistics 'pictures'"):
        train(recipe(statistics="pictures"), album, tmp_path / "run")


def _curve(run: Path) -> list[dict[str, str]]:
    with (run / "curve.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))
