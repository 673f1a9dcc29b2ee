"""Statistics of instance normalization (Ulyanov et al. 2016): of each input, or measured before and frozen.

A network that normalizes by instance takes the normalizing function as an argument, so the network itself
never changes and any number of threads can run it with different statistics. `measure_pooled` and
`measure_each` measure the statistics of whole pictures or of windows; `freeze_statistics` runs the network
with them, so that the color of a place does not depend on the rest of its window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.generators.networks.normalization import EPSILON, FLOOR

Normalize = Callable[[Tensor], Tensor]
"""Features (N, C, H, W) -> the same, each channel with its mean subtracted, divided by its deviation."""


class NormalizedNetwork(Protocol):
    """A network that calls `normalize` once for each of its normalization layers, in their order."""

    def __call__(self, x: Tensor, normalize: Normalize, /) -> Tensor:
        """Pictures (N, ..., H, W) -> pictures (N, ..., H, W)."""
        ...


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and variance of each channel, layer by layer in the order of the network.

    Tensors (R, C), float32, without gradient: one row for all inputs (R = 1), or one for each.
    """

    means: tuple[Tensor, ...]
    variances: tuple[Tensor, ...]


def by_instance(x: Tensor) -> Tensor:
    """Normalize each channel of each input by its own mean and variance, as `nn.InstanceNorm2d` does."""
    return functional.instance_norm(x, eps=EPSILON)


def through(layers: nn.Sequential, x: Tensor, normalize: Normalize) -> Tensor:
    """Run layers in order, with `normalize` in place of instance normalization."""
    for layer in layers:
        x = normalize(x) if isinstance(layer, nn.InstanceNorm2d) else layer(x)
    return x


def measure_pooled(
    network: NormalizedNetwork, pictures: Tensor, weights: Tensor | None = None, *, floor: float = FLOOR
) -> Statistics:
    """Measure the pooled statistics of pictures (N, C, H, W), as if they were one picture: one row.

    mean = sum w m and var = sum w (v + (m - mean)^2) over the pictures' own m and v, with `weights` (N,), not
    negative, scaled to a sum of 1 (equal if not given). Each layer gets the output of the layers before it
    with their pooled statistics, exactly as in a run with them. Raises ValueError if the weights do not fit.
    """
    count = len(pictures)
    if weights is None:
        weights = torch.ones(count)
    if weights.shape != (count,) or not bool((weights >= 0).all()) or not float(weights.sum()) > 0:
        raise ValueError(f"{count} pictures need as many weights, not negative and not all 0: {weights}")
    share = (weights / weights.sum()).to(pictures.device, torch.float32)[:, None]

    def pooled(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        together = (share * mean).sum(0, keepdim=True)
        return together, (share * (variance + (mean - together).square())).sum(0, keepdim=True)

    return _measured(network, pictures, pooled, floor)


def measure_each(network: NormalizedNetwork, pictures: Tensor, *, floor: float = FLOOR) -> Statistics:
    """Measure the statistics of each of the pictures (N, C, H, W) separately: N rows."""
    return _measured(network, pictures, lambda mean, variance: (mean, variance), floor)


def freeze_statistics(network: NormalizedNetwork, statistics: Statistics) -> Callable[[Tensor], Tensor]:
    """Return the network with `statistics` as constants.

    The normalization of each layer becomes one factor and one summand for each channel, and gradients flow
    through inputs and weights only. Statistics of N rows fit N inputs. Running it raises ValueError if the
    statistics are those of another network.
    """
    folded = tuple(map(_folded, statistics.means, statistics.variances))

    def run(x: Tensor) -> Tensor:
        left = iter(folded)

        def normalize(features: Tensor) -> Tensor:
            layer = next(left, None)
            if layer is None or layer[0].shape[1] != features.shape[1]:
                raise ValueError("the statistics are those of another network")
            return _applied(features, *layer)

        made = network(x, normalize)
        if next(left, None) is not None:
            raise ValueError("the statistics are those of another network")
        return made

    return run


@torch.no_grad()
def _measured(
    network: NormalizedNetwork,
    pictures: Tensor,
    pooled: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    floor: float,
) -> Statistics:
    means: list[Tensor] = []
    variances: list[Tensor] = []

    def normalize(features: Tensor) -> Tensor:
        own_variance, own_mean = torch.var_mean(features.float(), dim=(2, 3), correction=0)
        mean, variance = pooled(own_mean, own_variance)
        means.append(mean)
        variances.append(variance.clamp(min=floor))
        return _applied(features, *_folded(means[-1], variances[-1]))

    network(pictures, normalize)
    return Statistics(tuple(means), tuple(variances))


def _folded(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return factor and summand (R, C, 1, 1) that normalize by mean and variance (R, C)."""
    factor = torch.rsqrt(variance + EPSILON)[..., None, None]
    return factor, -mean[..., None, None] * factor


def _applied(features: Tensor, factor: Tensor, summand: Tensor) -> Tensor:
    return (features * factor + summand).to(features.dtype)
