"""Our generators as graphs of OpenVINO, built from their weights alone: torch is not needed for it.

A convolution and the batch normalization after it are one convolution here. That each graph computes what
torch does is held by tests/restoration/generators/engines/test_conformance.py.
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
from restoration.generators.engines.graphs.normalization import Given, Normalize, Pooling
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
"""By architecture, as in `networks.architectures.ARCHITECTURES`: gray and weights -> what is predicted."""

NORMALIZING: Mapping[str, Callable[[Node, Weights, Normalize], Node]] = MappingProxyType(
    {"seed-unet": seed_unet, "seed-unet-half": seed_unet}
)
"""Those of them that normalize by instance, or as they are told."""


def graph_of(architecture: str, state: State) -> Model:
    """Build the graph of an architecture of `GRAPHS`: gray (N, 1, H, W) in, planes (N, C, H, W) out, float32.

    Raises ValueError if the weights are not those of the architecture.
    """
    gray = _gray()
    return Model([_built(GRAPHS[architecture], state, gray)], [gray], architecture)


def statistics_graph(architecture: str, state: State) -> Model:
    """Build the graph that pools the statistics of pictures, of an architecture of `NORMALIZING`.

    Gray (N, 1, H, W) and shares (N, 1, 1, 1) in; factor and summand (1, C, 1, 1) of each layer out. Raises as
    `graph_of`.
    """
    gray = _gray()
    shares = ops.parameter(PartialShape([-1, 1, 1, 1]), Type.f32, name="shares")
    pooling = Pooling(shares)
    _built(lambda x, weights: NORMALIZING[architecture](x, weights, pooling), state, gray)
    return Model(pooling.found, [gray, shares], f"{architecture} measured")


def frozen_graph(architecture: str, state: State) -> Model:
    """Build the graph that normalizes by what `statistics_graph` gave: gray and that in, planes out."""
    gray, given = _gray(), Given()
    planes = _built(lambda x, weights: NORMALIZING[architecture](x, weights, given), state, gray)
    return Model([planes], [gray, *given.inputs], f"{architecture} steady")


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
