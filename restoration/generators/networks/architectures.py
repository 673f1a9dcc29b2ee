"""Architectures of generators: their common interface, and the table of those that Saek can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal, Protocol, cast

import torch
from torch import Tensor, nn

from restoration.generators.networks.lite0_unet import Lite0Unet
from restoration.generators.networks.statistics import Normalize, by_instance
from restoration.generators.networks.unet import UNetGenerator


class ChromaGenerator(Protocol):
    """A network that predicts the chroma of a gray picture.

    Each side of an input must be a multiple of `multiple`. A generator with an error head returns a third
    plane, (N, 3, H, W): the expected distance of (Cb, Cr) from the truth.
    """

    multiple: int

    def __call__(self, gray: Tensor) -> Tensor:
        """Gray (N, 1, H, W) float32 in [0, 1] -> BT.601 Cb and Cr (N, 2, H, W) float32 in [-0.5, 0.5]."""
        ...

    def intensify(self, gain: float) -> None:
        """Multiply the input of the last tanh by `gain`, in place: stronger or paler colors."""
        ...


class SeedChroma(nn.Module):
    """The seed's U-Net with one channel in and two out, its tanh scaled to the range of chroma."""

    multiple = UNetGenerator.multiple

    def __init__(self, base: int = 64) -> None:
        super().__init__()
        self.unet = UNetGenerator(in_channels=1, out_channels=2, base=base)

    def forward(self, gray: Tensor, normalize: Normalize = by_instance) -> Tensor:
        """Gray (N, 1, H, W) in [0, 1] -> chroma (N, 2, H, W) in [-0.5, 0.5]."""
        return cast(Tensor, 0.5 * self.unet(2.0 * gray - 1.0, normalize))

    @torch.no_grad()
    def intensify(self, gain: float) -> None:
        """Multiply the last convolution by `gain`, in place."""
        for parameter in self.unet.final.parameters():
            parameter.mul_(gain)


@dataclass(frozen=True, slots=True)
class Architecture:
    """A kind of generator: its constructor, and the facts that a caller needs to run it."""

    build: Callable[[], nn.Module]
    """Build the network, a `ChromaGenerator`, with initial weights."""
    multiple: int
    """Each input side is a multiple of this, pixels."""
    channels: int
    """Number of output planes: 2, or 3 with an error head."""
    starts_from: str
    """Architecture whose weights it can start from, with initial weights for the rest; "" if none."""
    statistics: Literal["fixed", "instance"]
    """Source of mean and variance in normalization: the training ("fixed") or each input ("instance")."""


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "lite0-unet": Architecture(Lite0Unet, Lite0Unet.multiple, 2, "", "fixed"),
        # This name is stored in model cards and recipes.
        "lite0-unet-doubt": Architecture(
            partial(Lite0Unet, with_error_head=True), Lite0Unet.multiple, 3, "lite0-unet", "fixed"
        ),
        "seed-unet": Architecture(SeedChroma, SeedChroma.multiple, 2, "", "instance"),
        "seed-unet-half": Architecture(partial(SeedChroma, 32), SeedChroma.multiple, 2, "", "instance"),
    }
)
