"""PatchGAN discriminator (Isola et al. 2017), in the shape of the seed."""

from __future__ import annotations

import itertools
from typing import cast

import torch
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Classify overlapping patches of 94 pixels of a picture as real or generated, given its condition.

    Four 4x4 convolutions of stride 2 (base, 2, 4 and 8 times base channels; instance normalization on all
    but the first, leaky ReLU of 0.2), zero padding on the left and the top, one 4x4 convolution to a single
    channel. A side of 256 gives a map of 16 x 16. With `steps` of 5 one more convolution of 8 times base
    channels gives a map of 8 x 8 and patches of 190 pixels; `kernel` is the side of all convolutions. Without
    condition channels it sees the picture alone.
    """

    def __init__(
        self,
        condition_channels: int = 3,
        picture_channels: int = 3,
        base: int = 64,
        *,
        steps: int = 4,
        kernel: int = 4,
    ) -> None:
        super().__init__()
        widths = (base * 2 ** min(step, 3) for step in range(steps))
        channels = (condition_channels + picture_channels, *widths)
        padding = (kernel - 1) // 2
        layers: list[nn.Module] = []
        for index, (channels_in, channels_out) in enumerate(itertools.pairwise(channels)):
            layers.append(nn.Conv2d(channels_in, channels_out, kernel, stride=2, padding=padding))
            if index > 0:
                layers.append(nn.InstanceNorm2d(channels_out))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        layers += [
            nn.ZeroPad2d((1, 0, 1, 0) if kernel % 2 == 0 else 0),
            nn.Conv2d(channels[-1], 1, kernel, padding=padding, bias=False),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, condition: Tensor, picture: Tensor) -> Tensor:
        """Condition and picture (N, C, H, W), sides multiples of 16 -> (N, 1, H / 16, W / 16); 1 is real.

        In general 16 is 2 to the power of `steps`.
        """
        return cast(Tensor, self.layers(torch.cat((condition, picture), dim=1)))
