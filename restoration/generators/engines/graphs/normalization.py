"""Instance normalization in OpenVINO: by each input, by pooled statistics, by frozen statistics.

The counterpart of `restoration.generators.networks.statistics` in torch: a network takes the normalizing
function as an argument and calls it once for each of its normalization layers, in their order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import openvino.opset15 as ops
from openvino import Node, PartialShape, Type

from restoration.generators.networks.normalization import EPSILON, FLOOR

Normalize = Callable[[Node], Node]
"""Features (N, C, H, W) -> the same, normalized."""


def by_instance(x: Node) -> Node:
    """Normalize each channel of each input by its own mean and variance."""
    return ops.mvn(x, _axes(2, 3), True, EPSILON, "inside_sqrt")


class Pooling:
    """Normalizes by the pooled mean and variance of all inputs, and collects them.

    mean = sum w m and var = sum w (v + (m - mean)^2) over the inputs' own m and v, with a floor and the
    weights `shares` (N, 1, 1, 1), which sum to 1.
    """

    def __init__(self, shares: Node) -> None:
        self._shares = shares
        self.found: list[Node] = []
        """Factor and summand (1, C, 1, 1) of each layer, in their order."""

    def __call__(self, x: Node) -> Node:
        """Normalize the next layer."""
        own_mean = ops.reduce_mean(x, _axes(2, 3), keep_dims=True)
        own_variance = ops.reduce_mean(_square(ops.subtract(x, own_mean)), _axes(2, 3), keep_dims=True)
        mean = self._pooled(own_mean)
        variance = self._pooled(ops.add(own_variance, _square(ops.subtract(own_mean, mean))))
        floored = ops.add(ops.maximum(variance, _number(FLOOR)), _number(EPSILON))
        factor = ops.divide(_number(1.0), ops.sqrt(floored))
        summand = ops.negative(ops.multiply(mean, factor))
        self.found += [factor, summand]
        return _applied(x, factor, summand)

    def _pooled(self, x: Node) -> Node:
        return ops.reduce_sum(ops.multiply(self._shares, x), _axes(0), keep_dims=True)


class Frozen:
    """Normalizes by factors and summands that are inputs of the graph."""

    def __init__(self) -> None:
        self.inputs: list[Node] = []
        """Factor and summand (1, C, 1, 1) of each layer, in their order."""

    def __call__(self, x: Node) -> Node:
        """Normalize the next layer."""
        shape = PartialShape([1, x.get_output_partial_shape(0)[1], 1, 1])
        factor, summand = (ops.parameter(shape, Type.f32) for _ in range(2))
        self.inputs += [factor, summand]
        return _applied(x, factor, summand)


def _applied(x: Node, factor: Node, summand: Node) -> Node:
    return ops.add(ops.multiply(x, factor), summand)


def _square(x: Node) -> Node:
    return ops.multiply(x, x)


def _axes(*axes: int) -> Node:
    return ops.constant(np.array(axes, np.int64))


def _number(value: float) -> Node:
    return ops.constant(np.float32(value))
