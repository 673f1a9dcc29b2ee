"""U-Net generator of the seed's pix2pix (Isola et al. 2017): eight steps down and seven up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from restoration.generators.networks.statistics import Normalize, by_instance, through

DOWN_WIDTHS = (1, 2, 4, 8, 8, 8, 8, 8)
UP_WIDTHS = (8, 8, 8, 8, 4, 2, 1)
DROPOUT = 0.5


class Down(nn.Module):
    """Halve the side: convolution of stride 2, instance normalization, leaky ReLU, dropout."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        normalize: bool = True,
        dropout: float = 0.0,
        kernel: int = 4,
    ) -> None:
        super().__init__()
        padding = (kernel - 1) // 2
        layers: list[nn.Module] = [
            nn.Conv2d(channels_in, channels_out, kernel, stride=2, padding=padding, bias=False)
        ]
        if normalize:
            layers.append(nn.InstanceNorm2d(channels_out))
        layers.append(nn.LeakyReLU(0.2))
        if dropout:
            layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, normalize: Normalize = by_instance) -> Tensor:
        """(N, C, H, W) -> (N, C', H / 2, W / 2)."""
        return through(self.layers, x, normalize)


class Up(nn.Module):
    """Double the side: transposed convolution, instance normalization, ReLU, dropout; then join the skip."""

    def __init__(self, channels_in: int, channels_out: int, *, dropout: float = 0.0, kernel: int = 4) -> None:
        super().__init__()
        padding, odd = (kernel - 1) // 2, kernel % 2
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(
                channels_in,
                channels_out,
                kernel,
                stride=2,
                padding=padding,
                output_padding=odd,
                bias=False,
            ),
            nn.InstanceNorm2d(channels_out),
            nn.ReLU(inplace=True),
        ]
        if dropout:
            layers.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor, skip: Tensor, normalize: Normalize = by_instance) -> Tensor:
        """(N, C, H, W) and the skip (N, S, 2H, 2W) -> (N, C' + S, 2H, 2W)."""
        return torch.cat((through(self.layers, x, normalize), skip), dim=1)


class UNetGenerator(nn.Module):
    """The seed's pix2pix generator, unchanged.

    Eight steps down (64, 128, 256 and five times 512 channels at the default width; no normalization on the
    first and the last; dropout from the fourth on), seven up (512 four times, 256, 128, 64; dropout on the
    first four), each joined to its mirror image, then nearest-neighbor doubling, zero padding on the left
    and the top, a 4x4 convolution and Tanh. Input sides are multiples of 256.
    """

    multiple = 256

    def __init__(self, in_channels: int = 3, out_channels: int = 3, base: int = 64, kernel: int = 4) -> None:
        super().__init__()
        downs = [base * width for width in DOWN_WIDTHS]
        last = len(downs) - 1
        self.downs = nn.ModuleList(
            Down(
                channels_in,
                channels_out,
                normalize=index not in {0, last},
                dropout=DROPOUT if index >= 3 else 0.0,
                kernel=kernel,
            )
            for index, (channels_in, channels_out) in enumerate(
                zip([in_channels, *downs], downs, strict=False)
            )
        )
        ups: list[Up] = []
        channels = downs[-1]
        for index, width in enumerate(UP_WIDTHS):
            dropout = DROPOUT if index < 4 else 0.0
            ups.append(Up(channels, base * width, dropout=dropout, kernel=kernel))
            channels = base * width + downs[-2 - index]
        self.ups = nn.ModuleList(ups)
        self.final = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.ZeroPad2d((1, 0, 1, 0) if kernel % 2 == 0 else 0),
            nn.Conv2d(channels, out_channels, kernel, padding=(kernel - 1) // 2),
            nn.Tanh(),
        )

    def forward(self, x: Tensor, normalize: Normalize = by_instance) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H, W) in (-1, 1).

        `normalize` replaces the thirteen instance normalizations, in their order.
        """
        skips: list[Tensor] = []
        for down in cast(Sequence[Down], self.downs):
            x = down(x, normalize)
            skips.append(x)
        for up, skip in zip(cast(Sequence[Up], self.ups), reversed(skips[:-1]), strict=True):
            x = up(x, skip, normalize)
        return cast(Tensor, self.final(x))
