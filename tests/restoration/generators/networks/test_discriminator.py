"""The seed's PatchGAN: parameters, output map, and receptive field."""

import pytest
import torch
from torch import nn

from restoration.generators.networks.discriminator import PatchDiscriminator


def test_the_default_width_has_nearly_3_million_parameters() -> None:
    count = sum(parameter.numel() for parameter in PatchDiscriminator().parameters())

    assert count / 1e6 == pytest.approx(2.77, abs=0.01)


def test_a_picture_of_256_gives_a_map_of_16() -> None:
    critic = PatchDiscriminator(base=4)

    assert critic(torch.zeros(2, 3, 256, 256), torch.zeros(2, 3, 256, 256)).shape == (2, 1, 16, 16)


def test_condition_and_picture_may_differ_in_channels() -> None:
    critic = PatchDiscriminator(condition_channels=1, picture_channels=2, base=4)

    assert critic(torch.zeros(1, 1, 128, 160), torch.zeros(1, 2, 128, 160)).shape == (1, 1, 8, 10)


def test_with_one_more_step_a_picture_of_256_gives_a_map_of_8() -> None:
    critic = PatchDiscriminator(base=4, steps=5)

    assert critic(torch.zeros(1, 3, 256, 256), torch.zeros(1, 3, 256, 256)).shape == (1, 1, 8, 8)
    widths = [layer.out_channels for layer in critic.layers if isinstance(layer, nn.Conv2d)]
    assert widths == [4, 8, 16, 32, 32, 1]


@pytest.mark.parametrize("kernel", [3, 5])
def test_the_map_does_not_change_with_the_kernel(kernel: int) -> None:
    critic = PatchDiscriminator(base=4, kernel=kernel)

    assert critic(torch.zeros(1, 3, 256, 256), torch.zeros(1, 3, 256, 256)).shape == (1, 1, 16, 16)


def test_without_a_condition_the_picture_alone_is_judged() -> None:
    critic = PatchDiscriminator(condition_channels=0, base=4)

    assert critic(torch.zeros(1, 0, 64, 64), torch.zeros(1, 3, 64, 64)).shape == (1, 1, 4, 4)


@pytest.mark.parametrize(("steps", "reach"), [(4, 94), (5, 190)])
def test_a_patch_has_94_pixels_and_with_a_fifth_step_190(steps: int, reach: int) -> None:
    critic = PatchDiscriminator(base=4, steps=steps)
    # Instance normalization looks at the whole picture; the convolutions' reach shows without it.
    for index, layer in enumerate(critic.layers):
        if isinstance(layer, nn.InstanceNorm2d):
            critic.layers[index] = nn.Identity()
    critic.double()
    picture = torch.rand(1, 3, 256, 256, dtype=torch.float64, requires_grad=True)

    judged = critic(torch.zeros_like(picture), picture)
    middle = judged.shape[-1] // 2
    judged[0, 0, middle, middle].backward()

    reached = picture.grad[0].abs().sum(dim=0) > 0
    assert reached.any(dim=0).sum() == reach
    assert reached.any(dim=1).sum() == reach


def test_the_output_depends_on_the_condition_too() -> None:
    critic = PatchDiscriminator(base=4).eval()
    picture = torch.rand(1, 3, 64, 64)

    assert not torch.equal(
        critic(torch.rand(1, 3, 64, 64), picture), critic(torch.rand(1, 3, 64, 64), picture)
    )
