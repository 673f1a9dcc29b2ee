"""OpenVINO graphs of the generators, built from their weights without torch.

Batch normalizations are folded into the convolutions before them. The test
tests/restoration/generators/engines/test_conformance.py compares each graph with torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import openvino.opset15 as ops
from numpy.typing import NDArray
from openvino import Model, Node, PartialShape, Type

from restoration.generators.engines.graphs.layers import Weights
from restoration.generators.engines.graphs.lite0 import lite0_unet, lite0_unet_error
from restoration.generators.engines.graphs.normalization import Frozen, Normalize, Pooling
from restoration.generators.engines.graphs.seed import seed_unet

State = Mapping[str, NDArray[np.generic]]

GRAPHS: Mapping[str, Callable[[Node, Weights], Node]] = MappingProxyType(
    {
        "lite0-unet": lite0_unet,
        "lite0-unet-doubt": lite0_unet_error,
        "seed-unet": seed_unet,
        "seed-unet-half": seed_unet,
    }
)
"""By architecture, as in `networks.architectures.ARCHITECTURES`: gray and weights -> planes."""

NORMALIZING: Mapping[str, Callable[[Node, Weights, Normalize], Node]] = MappingProxyType(
    {"seed-unet": seed_unet, "seed-unet-half": seed_unet}
)
"""Those that normalize by instance, or by a given function."""


def graph_of(architecture: str, state: State) -> Model:
    """Build the graph of an architecture: gray (N, 1, H, W) in, planes (N, C, H, W) out, float32.

    Raises ValueError if the weights are not those of the architecture.
    """
    gray = _gray()
    return Model([_built(GRAPHS[architecture], state, gray)], [gray], architecture)


def statistics_graph(architecture: str, state: State) -> Model:
    """Build the graph that measures pooled statistics, of an architecture of `NORMALIZING`.

    Gray (N, 1, H, W) and shares (N, 1, 1, 1) in; factor and summand (1, C, 1, 1) of each layer out. Raises
    ValueError as `graph_of` does.
    """
    gray = _gray()
    shares = ops.parameter(PartialShape([-1, 1, 1, 1]), Type.f32, name="shares")
    pooling = Pooling(shares)
    _built(lambda x, weights: NORMALIZING[architecture](x, weights, pooling), state, gray)
    return Model(pooling.found, [gray, shares], f"{architecture} statistics")


def frozen_graph(architecture: str, state: State) -> Model:
    """Build the graph with frozen statistics: gray and the outputs of `statistics_graph` in, planes out."""
    gray, frozen = _gray(), Frozen()
    planes = _built(lambda x, weights: NORMALIZING[architecture](x, weights, frozen), state, gray)
    return Model([planes], [gray, *frozen.inputs], f"{architecture} frozen")


def _gray() -> Node:
    return ops.parameter(PartialShape([-1, 1, -1, -1]), Type.f32, name="gray")


def _built(network: Callable[[Node, Weights], Node], state: State, gray: Node) -> Node:
    weights = Weights(state)
    try:
        planes = network(gray, weights)
    except RuntimeError as error:  # all that OpenVINO raises: here, channels that do not fit
        raise ValueError(f"the shapes do not fit: {str(error).splitlines()[-1]}") from error
    weights.require_used()
    return planes
