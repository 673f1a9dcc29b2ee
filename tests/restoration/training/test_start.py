from dataclasses import replace
from pathlib import Path

import pytest
import torch

from restoration.generators.models import SHIPPED, Library, default_model, load_weights, model_card
from restoration.training import TrainingError
from restoration.training.recipe import ModelPlan, Phase, TrainingRecipe
from restoration.training.state import new_state

RECIPE = TrainingRecipe("trial", (Phase("only", 16),), model=ModelPlan(start=default_model().name))


def test_a_run_can_start_from_an_installed_model() -> None:
    state = new_state(RECIPE, torch.device("cpu"))

    weights = load_weights(default_model())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in state.network.state_dict().items())


def test_an_error_head_is_added_to_a_model_without_one() -> None:
    subject = replace(RECIPE.model, architecture="lite0-unet-doubt", start="archive-2")

    state = new_state(replace(RECIPE, model=subject), torch.device("cpu"))

    weights, network = load_weights(model_card("archive-2")), state.network.state_dict()
    assert all(torch.equal(network[name], tensor) for name, tensor in weights.items())
    assert {name.split(".")[0] for name in network.keys() - weights.keys()} == {"doubt"}


def test_a_model_of_another_architecture_is_refused() -> None:
    subject = replace(RECIPE.model, architecture="seed-unet")
    with pytest.raises(TrainingError, match=r"not a seed-unet"):
        new_state(replace(RECIPE, model=subject, phases=(Phase("only", 16, size=256),)), torch.device("cpu"))


def test_a_run_can_start_from_an_imported_model(shelf: Path) -> None:
    recipe = replace(RECIPE, model=replace(RECIPE.model, start="trial"))
    library = Library((SHIPPED, shelf))

    state = new_state(recipe, torch.device("cpu"), library)

    weights = load_weights(model_card("trial", library))
    assert all(torch.equal(tensor, weights[name]) for name, tensor in state.network.state_dict().items())
