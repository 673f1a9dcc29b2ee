"""The encoder: trained parts, and fixed ImageNet statistics."""

import pytest
import torch

from restoration.generators.networks.lite0_unet import Lite0Unet
from restoration.training.pretrained_encoder import trainable_part
from restoration.training.recipe import Phase, TrainingRecipe
from restoration.training.state import phase_optimizer, set_training_mode


def test_frozen_it_has_nothing_to_train() -> None:
    encoder = Lite0Unet().encoder

    assert trainable_part(encoder, None) == []
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_from_a_block_on_the_rest_and_the_head_are_trained() -> None:
    encoder = Lite0Unet().encoder

    part = trainable_part(encoder, 14)

    trained = {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}
    assert {name.rsplit(".", 3)[0].split(".expand")[0] for name in trained} >= {"blocks.14", "blocks.15"}
    assert not any(name.startswith(("stem", "blocks.13.")) for name in trained)
    assert any(name.startswith("head") for name in trained)
    assert len(part) == len(trained)


def test_a_frozen_phase_can_follow_an_unfrozen_one() -> None:
    encoder = Lite0Unet().encoder
    trainable_part(encoder, 0)

    assert trainable_part(encoder, None) == []
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_the_encoder_learns_more_slowly_than_the_decoder() -> None:
    phase = Phase("fine", samples=16, unfreeze_from=11, encoder_rate=0.05)

    slow, full = phase_optimizer(Lite0Unet(), phase, TrainingRecipe("r", (phase,))).param_groups

    assert (slow["part"], full["part"]) == (0.05, 1.0)


@pytest.mark.parametrize("unfreeze_from", [None, 11])
def test_batches_do_not_move_the_statistics_of_the_encoder(unfreeze_from: int | None) -> None:
    network = Lite0Unet()
    trainable_part(network.encoder, unfreeze_from)
    before = {name: buffer.clone() for name, buffer in network.encoder.named_buffers()}

    set_training_mode(network)
    network(torch.rand(2, 1, 64, 64))

    assert all(torch.equal(buffer, before[name]) for name, buffer in network.encoder.named_buffers())
    assert any(module.training for module in network.decoder.modules())
