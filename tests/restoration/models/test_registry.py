"""The registry: which models there are, and that weights are what their card says."""

import dataclasses
import json
from pathlib import Path

import pytest

from restoration.errors import ModelError, UnknownModel, WeightsMismatch
from restoration.models import default_model, load_weights, model_card, models, verify_model, weights_path
from restoration.models.registry import card_toml
from restoration.pix2pix.chroma import ARCHITECTURES


def test_a_card_reads_back_as_it_was_written(shelf: Path) -> None:
    card = model_card("trial", shelf)

    (shelf / "trial.toml").write_text(card_toml(card))

    assert model_card("trial", shelf) == card


def test_quotes_in_a_card_survive(shelf: Path) -> None:
    card = dataclasses.replace(model_card("trial", shelf), summary='A "quoted" \\ word')

    (shelf / "trial.toml").write_text(card_toml(card))

    assert model_card("trial", shelf) == card


def test_a_card_can_be_kept_as_json(shelf: Path) -> None:
    card = model_card("trial", shelf)

    assert json.loads(json.dumps(dataclasses.asdict(card)))["weights"] == card.weights


def test_an_unknown_model_is_told_with_those_that_are_there(shelf: Path) -> None:
    with pytest.raises(UnknownModel) as caught:
        model_card("no-such-model", shelf)

    assert "no-such-model" in caught.value.reason
    assert "trial" in caught.value.remedy


def test_the_default_is_the_one_card_that_says_so(shelf: Path) -> None:
    assert default_model(shelf).name == "trial"


@pytest.mark.parametrize("others", [0, 2])
def test_a_shelf_without_one_default_is_refused(shelf: Path, others: int) -> None:
    card = model_card("trial", shelf)
    (shelf / "trial.toml").write_text(card_toml(dataclasses.replace(card, default=others > 0)))
    for number in range(others):
        name = f"other-{number}"
        (shelf / f"{name}.toml").write_text(card_toml(dataclasses.replace(card, name=name, default=True)))

    with pytest.raises(UnknownModel, match="one model must be the default"):
        default_model(shelf)


def test_weights_of_the_right_bytes_verify_and_load(shelf: Path) -> None:
    card = model_card("trial", shelf)

    verify_model(card, shelf)

    network = ARCHITECTURES[card.architecture].build()
    network.load_state_dict(load_weights(card, shelf))


def test_one_flipped_bit_is_found(shelf: Path) -> None:
    card = model_card("trial", shelf)
    path = weights_path(card, shelf)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    for refuse in (verify_model, load_weights):
        with pytest.raises(WeightsMismatch) as caught:
            refuse(card, shelf)
        assert card.weights in caught.value.reason
        assert caught.value.path == path


def test_missing_weights_are_a_mismatch_that_names_the_file(shelf: Path) -> None:
    card = model_card("trial", shelf)
    weights_path(card, shelf).unlink()

    with pytest.raises(WeightsMismatch, match="cannot be read") as caught:
        verify_model(card, shelf)

    assert caught.value.path == weights_path(card, shelf)


@pytest.mark.parametrize("text", ["name = ", 'name = "half"', 'surprise = "entry"'])
def test_a_card_that_cannot_be_understood_is_told_with_its_file(shelf: Path, text: str) -> None:
    (shelf / "broken.toml").write_text(text)

    with pytest.raises(ModelError, match="card cannot be read") as caught:
        models(shelf)

    assert caught.value.path == shelf / "broken.toml"


def test_a_card_may_not_point_out_of_its_folder(shelf: Path) -> None:
    card = dataclasses.replace(model_card("trial", shelf), file="../weights.safetensors")
    (shelf / "trial.toml").write_text(card_toml(card))

    with pytest.raises(ModelError, match="outside its folder"):
        models(shelf)
