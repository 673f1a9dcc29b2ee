"""OpenVINO graph of the U-Net on EfficientNet-Lite0 (`restoration.generators.networks.lite0_unet`)."""

from __future__ import annotations

import numpy as np
import openvino.opset15 as ops
from openvino import Node

from restoration.generators.engines.graphs.error_head import error_head
from restoration.generators.engines.graphs.layers import (
    Floats,
    Weights,
    convolution,
    doubled,
    joined,
    normalized_kernel,
    scaled,
    shifted,
)
from restoration.generators.networks.lite0_layout import (
    DECODER_CHANNELS,
    INPUT_MEAN,
    INPUT_STD,
    LITE0_STAGES,
    NORM_EPSILON,
    SKIP_BLOCKS,
    same_padding,
)

_TORCH_EPSILON = 1e-5


def lite0_unet(gray: Node, weights: Weights) -> Node:
    """Gray (N, 1, H, W) in [0, 1] -> chroma (N, 2, H, W) in [-0.5, 0.5]."""
    return doubled(_decoded(gray, weights)[0], smooth=True)


def lite0_unet_error(gray: Node, weights: Weights) -> Node:
    """Gray (N, 1, H, W) in [0, 1] -> chroma and its predicted error (N, 3, H, W)."""
    chroma, levels, scene = _decoded(gray, weights)
    half = ops.avg_pool(gray, [2, 2], [0, 0], [0, 0], [2, 2], exclude_pad=False)
    return doubled(joined((chroma, error_head(levels, scene, half, chroma, weights))), smooth=True)


def _decoded(gray: Node, weights: Weights) -> tuple[Node, list[Node], Node]:
    """Gray -> chroma at half the size, features of each decoder block, pooled scene features (N, C, 1, 1)."""
    skips, head = _encoder(scaled(shifted(gray, -INPUT_MEAN), 1 / INPUT_STD), weights)
    axes = ops.constant(np.array([2, 3], np.int64))
    scene = ops.reduce_mean(head, axes, keep_dims=True)
    x = ops.add(skips.pop(), convolution(scene, *_linear(weights, "scene")))
    levels = []
    for index in range(len(DECODER_CHANNELS)):
        x = joined((doubled(x, smooth=True), skips.pop()))
        for kernel, norm in ((0, 1), (3, 4)):
            prefix = f"decoder.{index}.join"
            folded = normalized_kernel(weights, f"{prefix}.{kernel}", f"{prefix}.{norm}", _TORCH_EPSILON)
            x = ops.relu(convolution(x, *folded, padding=(1, 1)))
        levels.append(x)
    chroma = convolution(x, weights.take("chroma.weight"), weights.take("chroma.bias"), padding=(1, 1))
    return scaled(ops.tanh(scaled(chroma, 2.0)), 0.5), levels, scene


def _encoder(x: Node, weights: Weights) -> tuple[list[Node], Node]:
    """Normalized gray (N, 1, H, W) -> features by rising stride, and those of the head."""
    kernel, bias = normalized_kernel(weights, "encoder.stem.1", "encoder.stem.2", NORM_EPSILON)
    # Three equal channels through three kernels are one channel through their sum.
    x = _relu6(convolution(x, kernel.sum(axis=1, keepdims=True), bias, stride=2, padding=same_padding(3, 2)))
    skips: list[Node] = []
    index = 0
    for repeats, side, stride, _, _ in LITE0_STAGES:
        for repeat in range(repeats):
            x = _bottleneck(x, weights, f"encoder.blocks.{index}", side, stride if repeat == 0 else 1)
            if index in SKIP_BLOCKS:
                skips.append(x)
            index += 1
    return [*skips, x], _relu6(convolution(x, *_pointwise(weights, "encoder.head")))


def _bottleneck(x: Node, weights: Weights, name: str, side: int, stride: int) -> Node:
    wide = x
    if weights.holds(f"{name}.expand.0.weight"):
        wide = _relu6(convolution(x, *_pointwise(weights, f"{name}.expand")))
    first = 1 if stride > 1 else 0  # a padding comes before the convolution there
    filters = normalized_kernel(
        weights, f"{name}.depthwise.{first}", f"{name}.depthwise.{first + 1}", NORM_EPSILON
    )
    wide = _relu6(convolution(wide, *filters, stride=stride, padding=same_padding(side, stride)))
    narrow = convolution(wide, *_pointwise(weights, f"{name}.project"))
    same = narrow.get_output_partial_shape(0)[1] == x.get_output_partial_shape(0)[1]
    return ops.add(narrow, x) if stride == 1 and same else narrow


def _pointwise(weights: Weights, name: str) -> tuple[Floats, Floats]:
    return normalized_kernel(weights, f"{name}.0", f"{name}.1", NORM_EPSILON)


def _linear(weights: Weights, name: str) -> tuple[Floats, Floats]:
    """Return a matrix (O, I) as the kernel of a convolution over one pixel, and its bias."""
    return weights.take(f"{name}.weight")[:, :, None, None], weights.take(f"{name}.bias")


def _relu6(x: Node) -> Node:
    return ops.clamp(x, 0.0, 6.0)
