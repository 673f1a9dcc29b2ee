"""U-Net generator (Ronneberger et al. 2015) on a pretrained EfficientNet-Lite0 encoder.

EfficientNet-Lite0 is the "lite" variant of Tan & Le 2019: no squeeze-and-excitation, ReLU6. The decoder
doubles the resolution by bilinear interpolation, which leaves no checkerboard (Odena et al. 2016).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.generators.networks.error_head import ErrorHead
from restoration.generators.networks.lite0_layout import (
    DECODER_CHANNELS,
    INPUT_MEAN,
    INPUT_STD,
    LITE0_HEAD,
    LITE0_STAGES,
    LITE0_STEM,
    NORM_EPSILON,
    SKIP_BLOCKS,
    SKIP_CHANNELS,
    same_padding,
)


class SamePad(nn.Module):
    """TensorFlow's "same" padding for even sides: at a stride of two the odd pixel is added on the right."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.padding = same_padding(kernel, stride) * 2

    def forward(self, x: Tensor) -> Tensor:
        """Pad (N, C, H, W) with zeros."""
        return functional.pad(x, self.padding)


def _convolution(
    channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Return a convolution without bias and its batch normalization, epsilon and momentum as pretrained."""
    pad: list[nn.Module] = []
    inner = kernel // 2
    if stride > 1:
        pad, inner = [SamePad(kernel, stride)], 0
    return nn.Sequential(
        *pad,
        nn.Conv2d(channels_in, channels_out, kernel, stride, inner, groups=groups, bias=False),
        nn.BatchNorm2d(channels_out, eps=NORM_EPSILON, momentum=0.01),
    )


class InvertedBottleneck(nn.Module):
    """MBConv (Sandler et al. 2018, Tan & Le 2019): expansion, depthwise filter, projection, residual."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.expand = _convolution(channels_in, wide, 1) if expansion > 1 else nn.Identity()
        self.expands = expansion > 1
        self.depthwise = _convolution(wide, wide, kernel, stride, groups=wide)
        self.project = _convolution(wide, channels_out, 1)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H / stride, W / stride)."""
        wide = functional.relu6(self.expand(x)) if self.expands else x
        narrow = self.project(functional.relu6(self.depthwise(wide)))
        return cast(Tensor, narrow + x if self.residual else narrow)


class Lite0Encoder(nn.Module):
    """EfficientNet-Lite0 without its classifier: features at strides 2, 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(3, LITE0_STEM, 3, stride=2)
        blocks: list[nn.Module] = []
        channels = LITE0_STEM
        for repeats, kernel, stride, expansion, channels_out in LITE0_STAGES:
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(InvertedBottleneck(channels, channels_out, kernel, step, expansion))
                channels = channels_out
        self.blocks = nn.ModuleList(blocks)
        self.head = _convolution(channels, LITE0_HEAD, 1)

    def forward(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Normalized RGB (N, 3, H, W), sides multiples of 32 -> features by rising stride, and the head's."""
        skips: list[Tensor] = []
        x = functional.relu6(self.stem(x))
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in SKIP_BLOCKS:
                skips.append(x)
        return [*skips, x], functional.relu6(self.head(x))


class DecoderBlock(nn.Module):
    """Double the side, join the skip, convolve twice."""

    def __init__(self, channels_in: int, channels_skip: int, channels_out: int) -> None:
        super().__init__()
        self.join = nn.Sequential(
            nn.Conv2d(channels_in + channels_skip, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """(N, C, H, W) and a skip of twice the side -> (N, C', 2H, 2W)."""
        x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return cast(Tensor, self.join(torch.cat((x, skip), dim=1)))


class Lite0Unet(nn.Module):
    """A U-Net on an EfficientNet-Lite0 encoder that predicts the chroma of a gray picture.

    The pooled features of the whole input (what kind of scene it is) are added at the bottom, after Iizuka
    et al. 2016. Chroma is predicted at half the input's side and interpolated: the difference is invisible,
    and half the arithmetic is saved.

    With an error head (`ErrorHead`) a third plane is the expected distance of (Cb, Cr) from the truth, unless
    `predicts_error` is off, as it is while the colors are trained. `dropout` is the rate for the pooled
    features in training; those at stride 32 get half of it, the skips a quarter.
    """

    multiple = 32

    def __init__(self, *, with_error_head: bool = False) -> None:
        super().__init__()
        self.encoder = Lite0Encoder()
        bottom = LITE0_STAGES[-1][-1]
        self.scene = nn.Linear(LITE0_HEAD, bottom)
        channels = bottom
        decoder: list[nn.Module] = []
        for skip, channels_out in zip(reversed(SKIP_CHANNELS), DECODER_CHANNELS, strict=True):
            decoder.append(DecoderBlock(channels, skip, channels_out))
            channels = channels_out
        self.decoder = nn.ModuleList(decoder)
        self.chroma = nn.Conv2d(channels, 2, 3, padding=1)
        # The weights of the error head are stored under the name of this attribute.
        self.doubt = ErrorHead(DECODER_CHANNELS, LITE0_HEAD) if with_error_head else None
        self.predicts_error = with_error_head
        self.dropout = 0.0
        nn.init.zeros_(self.scene.weight)
        nn.init.zeros_(self.scene.bias)
        nn.init.normal_(self.chroma.weight, std=0.002)
        nn.init.zeros_(cast(Tensor, self.chroma.bias))

    def forward(self, gray: Tensor) -> Tensor:
        """Gray (N, 1, H, W) in [0, 1], sides multiples of 32 -> Cb and Cr (N, 2, H, W) in [-0.5, 0.5].

        With an error head (N, 3, H, W): the third plane is the predicted error, above 0.
        """
        rgb = ((gray - INPUT_MEAN) / INPUT_STD).expand(-1, 3, -1, -1)
        skips, head = self.encoder(rgb)
        levels, scene = self.decode(skips, head)
        planes = 0.5 * torch.tanh(2.0 * self.chroma(levels[-1]).float())
        if self.doubt is not None and self.predicts_error:
            half = functional.avg_pool2d(gray, 2)
            seen = [level.detach() for level in levels]
            planes = torch.cat((planes, self.doubt(seen, scene.detach(), half, planes.detach())), dim=1)
        return functional.interpolate(planes, scale_factor=2.0, mode="bilinear", align_corners=False)

    @torch.no_grad()
    def intensify(self, gain: float) -> None:
        """Multiply the last convolution by `gain`, in place."""
        for parameter in self.chroma.parameters():
            parameter.mul_(gain)

    def decode(self, skips: list[Tensor], head: Tensor) -> tuple[list[Tensor], Tensor]:
        """Encoder features -> features of each decoder block, and the pooled scene features (N, C)."""
        scene = head.mean(dim=(2, 3))
        kept = functional.dropout(scene, self.dropout, self.training)
        x = skips[-1] + self.scene(kept)[:, :, None, None]
        x = functional.dropout2d(x, self.dropout / 2, self.training)
        levels: list[Tensor] = []
        for block, skip in zip(self.decoder, reversed(skips[:-1]), strict=True):
            x = block(x, functional.dropout2d(skip, self.dropout / 4, self.training))
            levels.append(x)
        return levels, scene
