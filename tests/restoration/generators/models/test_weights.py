"""Weights are loaded only if their sha256 is that on the card."""

from pathlib import Path

import pytest

from restoration.errors import WeightsMismatch
from restoration.generators.models import (
    Library,
    ModelCard,
    load_weights,
    model_card,
    verify_model,
    weights_path,
)
from restoration.generators.networks.architectures import ARCHITECTURES


@pytest.fixture
def card(shelf: Path) -> ModelCard:
    return model_card("trial", Library((shelf,)))


def test_weights_of_the_right_bytes_verify_and_load(card: ModelCard) -> None:
    verify_model(card)

    network = ARCHITECTURES[card.architecture].build()
    network.load_state_dict(load_weights(card))


def test_one_flipped_bit_is_found(card: ModelCard) -> None:
    path = weights_path(card)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    for refuse in (verify_model, load_weights):
        with pytest.raises(WeightsMismatch) as caught:
            refuse(card)
        assert card.weights in caught.value.reason
        assert caught.value.path == path


def test_missing_weights_are_a_mismatch_that_names_the_file(card: ModelCard) -> None:
    weights_path(card).unlink()

    with pytest.raises(WeightsMismatch, match="cannot be read") as caught:
        verify_model(card)

    assert caught.value.path == weights_path(card)
