"""OpenVINO graph of the seed generator (`restoration.generators.networks.architectures.SeedChroma`)."""

from __future__ import annotations

import numpy as np
import openvino.opset15 as ops
from openvino import Node

from restoration.generators.engines.graphs.layers import (
    Weights,
    convolution,
    doubled,
    joined,
    leaky,
    scaled,
    shifted,
    transposed,
)
from restoration.generators.engines.graphs.normalization import Normalize, by_instance

_DOWNS = 8
_UPS = 7


def seed_unet(gray: Node, weights: Weights, normalize: Normalize = by_instance) -> Node:
    """Gray (N, 1, H, W) in [0, 1], sides multiples of 256 -> chroma (N, 2, H, W) in [-0.5, 0.5].

    `normalize` replaces the thirteen instance normalizations, in their order.
    """
    x = shifted(scaled(gray, 2.0), -1.0)
    skips: list[Node] = []
    for index in range(_DOWNS):
        x = convolution(x, weights.take(f"unet.downs.{index}.layers.0.weight"), stride=2, padding=(1, 1))
        if index not in {0, _DOWNS - 1}:
            x = normalize(x)
        x = leaky(x, 0.2)
        skips.append(x)
    skips.pop()
    for index in range(_UPS):
        x = transposed(x, weights.take(f"unet.ups.{index}.layers.0.weight"), stride=2, padding=1)
        x = joined((ops.relu(normalize(x)), skips.pop()))
    kernel, bias = weights.take("unet.final.2.weight"), weights.take("unet.final.2.bias")
    # One more zero on the left and the top, since the side of the kernel is even.
    x = ops.pad(
        doubled(x, smooth=False),
        ops.constant(np.array([0, 0, 1, 1], np.int64)),
        ops.constant(np.array([0, 0, 0, 0], np.int64)),
        "constant",
    )
    return scaled(ops.tanh(convolution(x, kernel, bias, padding=(1, 1))), 0.5)
