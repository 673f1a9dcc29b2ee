"""OpenVINO operations of the layers of our generators, on float32."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import openvino.opset15 as ops
from numpy.typing import NDArray
from openvino import Node

Floats = NDArray[np.float32]
Padding = tuple[int, int]
"""Zeros before and after both axes of a picture."""


class Weights:
    """The tensors of a state dict, each of which must be used exactly once."""

    def __init__(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self._state = dict(state)

    def take(self, name: str) -> Floats:
        """Return a tensor and remove it. Raises ValueError if it is missing or already used."""
        array = self._state.pop(name, None)
        if array is None:
            raise ValueError(f"{name} is missing")
        return np.ascontiguousarray(array, np.float32)

    def holds(self, name: str) -> bool:
        """Return whether a tensor exists and is unused."""
        return name in self._state

    def require_used(self) -> None:
        """Raise ValueError if a tensor is unused, other than counters of training steps."""
        left = [name for name, array in self._state.items() if array.dtype.kind == "f"]
        if left:
            raise ValueError(f"{min(left)} belongs to no layer")


def normalized_kernel(weights: Weights, kernel: str, norm: str, epsilon: float) -> tuple[Floats, Floats]:
    """Return kernel (O, I, h, w) and bias (O,) of a convolution with its batch normalization folded in."""
    mean, variance = weights.take(f"{norm}.running_mean"), weights.take(f"{norm}.running_var")
    factor = weights.take(f"{norm}.weight") / np.sqrt(variance + np.float32(epsilon))
    folded = weights.take(f"{kernel}.weight") * factor[:, None, None, None]
    return folded, weights.take(f"{norm}.bias") - mean * factor


def convolution(
    x: Node, kernel: Floats, bias: Floats | None = None, *, stride: int = 1, padding: Padding = (0, 0)
) -> Node:
    """Convolve (N, I, H, W) with a kernel (O, I, h, w), or depthwise with a kernel (I, 1, h, w)."""
    begin, end = ([side, side] for side in padding)
    strides, dilations = [stride, stride], [1, 1]
    if kernel.shape[1] == 1 and kernel.shape[0] > 1 and x.get_output_partial_shape(0)[1] != 1:
        made = ops.group_convolution(
            x, ops.constant(kernel[:, None], shared_memory=False), strides, begin, end, dilations
        )
    else:
        made = ops.convolution(x, ops.constant(kernel), strides, begin, end, dilations)
    return made if bias is None else ops.add(made, _channels(bias))


def transposed(x: Node, kernel: Floats, *, stride: int, padding: int) -> Node:
    """Apply a transposed convolution with a kernel (I, O, h, w) to (N, I, H, W)."""
    sides = [padding, padding]
    return ops.convolution_backprop_data(
        x, ops.constant(kernel), [stride, stride], None, sides, sides, [1, 1]
    )


def doubled(x: Node, *, smooth: bool) -> Node:
    """Upsample (N, C, H, W) to (N, C, 2H, 2W): bilinear with half-pixel centers, or nearest neighbor."""
    mode, centers, rounding = (
        ("linear_onnx", "half_pixel", "round_prefer_floor") if smooth else ("nearest", "asymmetric", "floor")
    )
    return ops.interpolate(
        x,
        ops.constant(np.array([2.0, 2.0], np.float32)),
        mode,
        "scales",
        coordinate_transformation_mode=centers,
        nearest_mode=rounding,
        axes=ops.constant(np.array([2, 3], np.int64)),
    )


def leaky(x: Node, slope: float) -> Node:
    """Apply a leaky ReLU: multiply negative values by `slope`."""
    return ops.prelu(x, ops.constant(np.array([slope], np.float32)))


def joined(parts: Sequence[Node]) -> Node:
    """Concatenate several (N, C, H, W) along their channels."""
    return ops.concat(list(parts), axis=1)


def scaled(x: Node, factor: float) -> Node:
    """Multiply by a number."""
    return ops.multiply(x, ops.constant(np.float32(factor)))


def shifted(x: Node, summand: float) -> Node:
    """Add a number."""
    return ops.add(x, ops.constant(np.float32(summand)))


def _channels(values: Floats) -> Node:
    return ops.constant(values.reshape(1, -1, 1, 1))
