"""Our generators as graphs of OpenVINO, built from their weights alone: torch is not needed for it.

A convolution and the batch normalization after it are one convolution here. That each graph computes what
torch does is held by tests/restoration/engines/test_conformance.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import openvino.opset15 as ops
from numpy.typing import NDArray
from openvino import Model, Node, PartialShape, Type

from restoration.engines.graphs.layers import Weights
from restoration.engines.graphs.lite0 import lite0_unet
from restoration.engines.graphs.seed import seed_unet

GRAPHS: Mapping[str, Callable[[Node, Weights], Node]] = MappingProxyType(
    {"lite0-unet": lite0_unet, "seed-unet": seed_unet, "seed-unet-half": seed_unet}
)
"""By architecture (`restoration.pix2pix.chroma.ARCHITECTURES`): gray and weights -> what is predicted."""


def graph_of(architecture: str, state: Mapping[str, NDArray[np.generic]]) -> Model:
    """Build the graph of an architecture of `GRAPHS`: gray (N, 1, H, W) in, planes (N, C, H, W) out, float32.

    Raises ValueError if the weights are not those of the architecture.
    """
    gray = ops.parameter(PartialShape([-1, 1, -1, -1]), Type.f32, name="gray")
    weights = Weights(state)
    try:
        planes = GRAPHS[architecture](gray, weights)
    except RuntimeError as error:  # all that OpenVINO raises: here, channels that do not fit
        raise ValueError(f"the shapes do not fit: {str(error).splitlines()[-1]}") from error
    weights.require_used()
    return Model([planes], [gray], architecture)
