"""The seed's losses, on tensors whose loss is known, and in one step of training."""

import pytest
import torch
from torch import nn

from restoration.generators.networks.discriminator import PatchDiscriminator
from restoration.generators.networks.pix2pix_losses import (
    adversarial_loss,
    discriminator_loss,
    generator_loss,
    initialize,
)
from restoration.generators.networks.unet import UNetGenerator


@pytest.mark.parametrize(
    ("judged", "real", "loss"), [(1.0, True, 0.0), (1.0, False, 1.0), (0.0, True, 1.0), (0.25, True, 0.5625)]
)
def test_the_adversarial_loss_is_the_mean_squared_error(judged: float, real: bool, loss: float) -> None:
    assert float(adversarial_loss(torch.full((2, 1, 4, 4), judged), real=real)) == pytest.approx(loss)


def test_l1_weighs_a_hundred_times_the_adversarial_loss() -> None:
    loss = generator_loss(
        torch.full((1, 1, 2, 2), 0.5), torch.full((1, 3, 8, 8), 0.2), torch.zeros(1, 3, 8, 8)
    )

    assert float(loss) == pytest.approx(0.25 + 100 * 0.2)


def test_the_discriminator_is_asked_about_both_pictures_alike() -> None:
    loss = discriminator_loss(torch.full((1, 1, 2, 2), 0.5), torch.full((1, 1, 2, 2), 1.0))

    assert float(loss) == pytest.approx(0.5 * (0.25 + 1.0))


def test_weights_start_from_a_narrow_normal_distribution() -> None:
    torch.manual_seed(0)
    network = UNetGenerator(base=16)

    initialize(network)

    weights = torch.cat([t.flatten() for name, t in network.state_dict().items() if name.endswith("weight")])
    assert float(weights.mean()) == pytest.approx(0.0, abs=1e-4)
    assert float(weights.std()) == pytest.approx(0.02, rel=0.01)
    assert all(
        bool((m.bias == 0).all())
        for m in network.modules()
        if isinstance(m, nn.Conv2d) and m.bias is not None
    )


def test_one_step_lowers_both_losses() -> None:
    torch.manual_seed(0)
    generator, critic = UNetGenerator(base=4).eval(), PatchDiscriminator(base=4)
    initialize(generator)
    initialize(critic)
    gray, true = torch.rand(1, 3, 256, 256), 0.5 * torch.ones(1, 3, 256, 256)

    def losses() -> tuple[torch.Tensor, torch.Tensor]:
        made = generator(gray)
        judged = critic(gray, made.detach())
        return generator_loss(critic(gray, made), made, true), discriminator_loss(critic(gray, true), judged)

    generator_before, critic_before = losses()
    for network, loss in ((generator, generator_before), (critic, critic_before)):
        loss.backward(inputs=list(network.parameters()))
    for network in (generator, critic):
        torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999)).step()
    generator_after, critic_after = losses()

    assert generator_after.item() < generator_before.item()
    assert critic_after.item() < critic_before.item()
