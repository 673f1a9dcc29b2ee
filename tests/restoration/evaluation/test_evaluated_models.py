"""Opening models by name, folder or training run."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from restoration import UnknownModel
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.evaluated_models import open_evaluated_models
from restoration.generators.models import Library
from restoration.generators.networks.lite0_unet import Lite0Unet

RECIPE = """
name = "smoke"
working_side = 250
[model]
architecture = "{architecture}"
pretrained = false
[[phase]]
name = "only"
samples = 4
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a training run: recipe and best weights."""
    folder = tmp_path / "run-7"
    folder.mkdir()
    torch.manual_seed(2)
    save_file(Lite0Unet().state_dict(), folder / "best.safetensors")
    (folder / "recipe.toml").write_text(RECIPE.format(architecture="lite0-unet"))
    return folder


def test_a_name_is_looked_up_in_the_library(shelf: Path) -> None:
    (found,) = open_evaluated_models(["trial"], Library((shelf,)), "cpu", 1)

    assert (found.name, found.model.weights) == ("trial", found.card.weights)


def test_an_unknown_name_is_told_with_the_known_ones(shelf: Path) -> None:
    with pytest.raises(UnknownModel, match="trial"):
        open_evaluated_models(["nobody"], Library((shelf,)))


def test_a_folder_with_a_card_is_a_model(shelf: Path) -> None:
    (found,) = open_evaluated_models([f"{shelf}/"], device="cpu", threads=1)

    assert found.card.name == "trial"


def test_of_a_run_the_best_weights_are_taken(run: Path) -> None:
    (found,) = open_evaluated_models([str(run)], device="cpu", threads=1)

    assert found.name == "run-7"
    assert (found.model.spec.working_side, found.model.spec.multiple) == (256, 32)


def test_a_run_that_learns_anew_is_measured_anew(run: Path) -> None:
    (before,) = open_evaluated_models([str(run)], device="cpu", threads=1)
    torch.manual_seed(3)
    save_file(Lite0Unet().state_dict(), run / "best.safetensors")

    (after,) = open_evaluated_models([str(run)], device="cpu", threads=1)

    assert before.card.weights != after.card.weights
    assert before.model.engine is not after.model.engine


def test_two_of_one_name_are_told_apart(shelf: Path) -> None:
    found = open_evaluated_models(["trial", str(shelf)], Library((shelf,)), "cpu", 1)

    assert [subject.name for subject in found] == ["trial", "trial (2)"]


def test_a_folder_that_is_neither_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="0 model cards"):
        open_evaluated_models([f"{tmp_path}/"])
    with pytest.raises(EvaluationError, match="no such folder"):
        open_evaluated_models([f"{tmp_path}/nowhere"])


def test_a_run_of_another_kind_of_network_is_told(run: Path) -> None:
    (run / "recipe.toml").write_text(RECIPE.format(architecture="seed"))

    with pytest.raises(EvaluationError, match="'seed', which predicts no chroma"):
        open_evaluated_models([str(run)])


def test_a_run_of_the_study_is_told_where_it_is_judged(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('kind = "seed"\n')

    with pytest.raises(EvaluationError, match="predicts no chroma") as caught:
        open_evaluated_models([f"{tmp_path}/"])

    assert "saek study" in caught.value.remedy
