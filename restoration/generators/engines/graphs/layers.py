"""The few layers that our generators are made of, as operations of OpenVINO on float32."""

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
    """The tensors of a state, each of which is used once."""

    def __init__(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        self._state = dict(state)

    def take(self, name: str) -> Floats:
        """Return a tensor and strike it off. Raises ValueError if it is not there, or no longer."""
        array = self._state.pop(name, None)
        if array is None:
            raise ValueError(f"{name} is missing")
        return np.ascontiguousarray(array, np.float32)

    def holds(self, name: str) -> bool:
        """Whether a tensor is there and was not used yet."""
        return name in self._state

    def require_used(self) -> None:
        """Raise ValueError if a tensor is left over; counters of training steps do not count."""
        left = [name for name, array in self._state.items() if array.dtype.kind == "f"]
        if left:
            raise ValueError(f"{min(left)} belongs to no layer")


def normalized_kernel(weights: Weights, kernel: str, norm: str, epsilon: float) -> tuple[Floats, Floats]:
    """Return kernel and bias of a convolution into which the batch normalization after it is folded."""
    mean, variance = weights.take(f"{norm}.running_mean"), weights.take(f"{norm}.running_var")
    factor = weights.take(f"{norm}.weight") / np.sqrt(variance + np.float32(epsilon))
    folded = weights.take(f"{kernel}.weight") * factor[:, None, None, None]
    return folded, weights.take(f"{norm}.bias") - mean * factor


def convolution(
    x: Node, kernel: Floats, bias: Floats | None = None, *, stride: int = 1, padding: Padding = (0, 0)
) -> Node:
    """Convolve (N, I, H, W) with a kernel (O, I, h, w), or each channel by itself with one (I, 1, h, w)."""
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
    """Convolve (N, I, H, W) the other way round, with a kernel (I, O, h, w)."""
    sides = [padding, padding]
    return ops.convolution_backprop_data(
        x, ops.constant(kernel), [stride, stride], None, sides, sides, [1, 1]
    )


def doubled(x: Node, *, smooth: bool) -> Node:
    """Return (N, C, 2H, 2W), interpolated bilinearly between the centers of pixels or each pixel repeated."""
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
    """Multiply what is negative by `slope`."""
    return ops.prelu(x, ops.constant(np.array([slope], np.float32)))


def joined(parts: Sequence[Node]) -> Node:
    """Put the channels of several (N, C, H, W) one after the other."""
    return ops.concat(list(parts), axis=1)


def scaled(x: Node, factor: float) -> Node:
    """Multiply by a number."""
    return ops.multiply(x, ops.constant(np.float32(factor)))


def shifted(x: Node, summand: float) -> Node:
    """Add a number."""
    return ops.add(x, ops.constant(np.float32(summand)))


def _channels(values: Floats) -> Node:
    return ops.constant(values.reshape(1, -1, 1, 1))
