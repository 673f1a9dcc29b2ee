"""CUDA optimizations, as far as a CPU can test them; the rest are the tests marked `gpu`."""

import numpy as np
import torch
from skimage import data
from torch import nn

from restoration.arrays.lab import lab, shown_rgb
from restoration.generators.engines.cuda import Recorded, halved
from restoration.generators.models import default_model, load_weights
from restoration.generators.networks.architectures import ARCHITECTURES
from restoration.training.metrics import ciede2000


def _network() -> nn.Module:
    network = ARCHITECTURES[default_model().architecture].build()
    network.load_state_dict(load_weights(default_model()))
    return network.requires_grad_(requires_grad=False).eval()


def test_folding_batch_normalization_keeps_the_colors() -> None:
    gray = torch.from_numpy(data.camera()[:128, 100:228].astype(np.float32) / 255)[None, None]
    expected = _network()(gray)

    folded = halved(_network())

    assert not [part for part in folded.modules() if isinstance(part, nn.BatchNorm2d)]
    assert {parameter.dtype for parameter in folded.parameters()} == {torch.float16}
    assert torch.allclose(folded.float()(gray), expected, atol=2e-3)


def test_float16_passes_the_limit_on_a_photograph() -> None:
    luma = np.asarray(data.astronaut()[:96, 180:276] @ [0.299, 0.587, 0.114] / 255, np.float32)
    gray = torch.from_numpy(luma)[None, None]
    expected, network = _network()(gray), halved(_network())

    made = network(gray.half()).float()

    distance = ciede2000(
        lab(shown_rgb(luma, made[0, :2].numpy())), lab(shown_rgb(luma, expected[0, :2].numpy()))
    )
    assert distance.mean() <= 0.3
    assert np.percentile(distance, 99) <= 1.5


def test_pictures_that_are_no_windows_are_not_recorded() -> None:
    seen: list[torch.Size] = []

    def network(x: torch.Tensor) -> torch.Tensor:
        seen.append(x.shape)
        return x + 1

    x = torch.zeros(2, 1, 64, 96)
    assert torch.equal(Recorded(network)(x), x + 1)
    assert seen == [x.shape]
