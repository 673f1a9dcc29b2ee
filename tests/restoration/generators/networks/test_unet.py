"""The seed's generator: parameters, shapes, and the places of dropout and normalization."""

import pytest
import torch
from torch import nn

from restoration.generators.networks.unet import Down, UNetGenerator, Up


@pytest.fixture(scope="module")
def full() -> UNetGenerator:
    return UNetGenerator()


@pytest.fixture(scope="module")
def narrow() -> UNetGenerator:
    return UNetGenerator(in_channels=1, out_channels=2, base=4)


def test_the_default_width_has_54_million_parameters(full: UNetGenerator) -> None:
    count = sum(parameter.numel() for parameter in full.parameters())

    assert count / 1e6 == pytest.approx(54.40, abs=0.01)


@pytest.mark.parametrize(("height", "width"), [(256, 256), (512, 256)])
def test_the_picture_keeps_its_size(narrow: UNetGenerator, height: int, width: int) -> None:
    assert narrow(torch.zeros(2, 1, height, width)).shape == (2, 2, height, width)


@pytest.mark.parametrize("kernel", [3, 5])
def test_the_picture_keeps_its_size_with_other_kernels(kernel: int) -> None:
    generator = UNetGenerator(base=2, kernel=kernel)

    assert generator(torch.zeros(1, 3, 256, 256)).shape == (1, 3, 256, 256)
    sides = {layer.kernel_size[0] for layer in generator.modules() if hasattr(layer, "kernel_size")}
    assert sides == {kernel}


def test_the_output_lies_within_tanh(narrow: UNetGenerator) -> None:
    with torch.no_grad():
        answer = narrow(100.0 * torch.randn(1, 1, 256, 256))

    assert answer.abs().max() <= 1.0


def test_the_way_down_ends_at_a_single_pixel(narrow: UNetGenerator) -> None:
    x = torch.zeros(1, 1, 256, 256)
    for down in narrow.downs:
        x = down(x)

    assert x.shape == (1, 32, 1, 1)


def test_widths_are_those_of_the_seed(full: UNetGenerator) -> None:
    down = [block.layers[0].out_channels for block in full.downs]
    up = [block.layers[0].out_channels for block in full.ups]

    assert down == [64, 128, 256, 512, 512, 512, 512, 512]
    assert up == [512, 512, 512, 512, 256, 128, 64]


def test_dropout_sits_on_the_deep_blocks_only(full: UNetGenerator) -> None:
    assert [_dropout(block) for block in full.downs] == [0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert [_dropout(block) for block in full.ups] == [0.5, 0.5, 0.5, 0.5, 0, 0, 0]


def test_the_first_and_the_last_block_down_are_not_normalized(full: UNetGenerator) -> None:
    assert [_normalized(block) for block in full.downs] == [False, *[True] * 6, False]
    assert all(_normalized(block) for block in full.ups)


def test_dropout_is_silent_in_evaluation(narrow: UNetGenerator) -> None:
    x = torch.randn(1, 1, 256, 256, generator=torch.Generator().manual_seed(1))
    narrow.eval()
    with torch.no_grad():
        assert torch.equal(narrow(x), narrow(x))
    narrow.train()
    with torch.no_grad():
        assert not torch.equal(narrow(x), narrow(x))


def _dropout(block: Down | Up) -> float:
    return sum(layer.p for layer in block.layers if isinstance(layer, nn.Dropout))


def _normalized(block: Down | Up) -> bool:
    return any(isinstance(layer, nn.InstanceNorm2d) for layer in block.layers)
