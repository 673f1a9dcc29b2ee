"""OpenVINO operations of the error head (`restoration.generators.networks.error_head`).

Its weights are stored under names that begin with `doubt.`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino.opset15 as ops
from openvino import Node

from restoration.generators.engines.graphs.layers import Floats, Weights, convolution, joined, scaled, shifted
from restoration.generators.networks.lite0_layout import MIN_ERROR


def error_head(levels: Sequence[Node], scene: Node, gray: Node, chroma: Node, weights: Weights) -> Node:
    """Return the predicted error (N, 1, h, w): the expected distance of (Cb, Cr) from the truth.

    `levels` are the decoder features from coarse to fine, scene (N, C, 1, 1), gray (N, 1, h, w) in [0, 1],
    chroma (N, 2, h, w) in [-0.5, 0.5].
    """
    headroom = ops.sqrt(ops.relu(ops.minimum(gray, shifted(scaled(gray, -1.0), 1.0))))
    magnitude = ops.reduce_l2(chroma, _numbers(1), keep_dims=True)
    red = ops.slice(chroma, _numbers(1), _numbers(2), _numbers(1), _numbers(1))
    pixel = joined((gray, headroom, scaled(magnitude, 4.0), scaled(red, 4.0)))
    kernel, bias = _pair(weights, "doubt.scene")
    x = ops.add(
        convolution(pixel, *_pair(weights, "doubt.pixel")),
        convolution(scene, kernel[:, :, None, None], bias),
    )
    size = ops.slice(ops.shape_of(x), _numbers(2), _numbers(4), _numbers(1))
    for index, level in enumerate(levels):
        narrowed = ops.interpolate(
            convolution(level, *_pair(weights, f"doubt.levels.{index}")),
            size,
            "linear_onnx",
            "sizes",
            coordinate_transformation_mode="half_pixel",
            axes=_numbers(2, 3),
        )
        x = ops.add(x, narrowed)
    x = ops.relu(x)
    for place in (1, 3):
        x = ops.relu(convolution(x, *_pair(weights, f"doubt.mix.{place}"), padding=(1, 1)))
    x = convolution(x, *_pair(weights, "doubt.mix.5"))
    return shifted(scaled(ops.softplus(shifted(x, -1.0)), 0.1), MIN_ERROR)


def _pair(weights: Weights, name: str) -> tuple[Floats, Floats]:
    return weights.take(f"{name}.weight"), weights.take(f"{name}.bias")


def _numbers(*values: int) -> Node:
    return ops.constant(np.array(values, np.int64))
