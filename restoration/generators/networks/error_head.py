"""Error head: a small network on the decoder features that predicts the error of the chroma."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from restoration.generators.networks.lite0_layout import MIN_ERROR

WIDTH = 32
_DROPOUT = 0.3


class ErrorHead(nn.Module):
    """Decoder features in, predicted error out: the expected distance of (Cb, Cr) from the truth.

    Its inputs are all levels of the decoder, the pooled scene features, the tone of the pixel (near black and
    near white there is little headroom for chroma) and the predicted chroma. No gradient flows back, so the
    colors are the same with and without it. It learns the mean of a Laplace distribution (Kendall and Gal
    2017).
    """

    def __init__(self, channels: Sequence[int], scene: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.Conv2d(count, WIDTH, 1) for count in channels)
        self.scene = nn.Linear(scene, WIDTH)
        self.pixel = nn.Conv2d(4, WIDTH, 1)
        self.mix = nn.Sequential(
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, 1, 1),
        )

    def forward(self, levels: Sequence[Tensor], scene: Tensor, gray: Tensor, chroma: Tensor) -> Tensor:
        """Return the predicted error (N, 1, h, w), at least `MIN_ERROR`.

        `levels` are the decoder features from coarse to fine, the finest of size (h, w); scene (N, C), gray
        (N, 1, h, w) in [0, 1], chroma (N, 2, h, w) in [-0.5, 0.5].
        """
        pooled = functional.dropout(scene, _DROPOUT, self.training)
        headroom = torch.minimum(gray, 1.0 - gray).clamp_min(0.0).sqrt()
        pixel = torch.cat(
            (gray, headroom, 4.0 * chroma.norm(dim=1, keepdim=True), 4.0 * chroma[:, 1:]), dim=1
        )
        x = self.pixel(pixel.to(self.pixel.weight.dtype)) + self.scene(pooled)[:, :, None, None]
        for convolution, level in zip(self.levels, levels, strict=True):
            narrowed = convolution(functional.dropout2d(level, _DROPOUT, self.training))
            if narrowed.shape[-2:] != x.shape[-2:]:
                narrowed = functional.interpolate(
                    narrowed, size=x.shape[-2:], mode="bilinear", align_corners=False
                )
            x = x + narrowed
        return MIN_ERROR + 0.1 * functional.softplus(self.mix(x).float() - 1.0)


def error_loss(predicted: Tensor, distance: Tensor) -> Tensor:
    """Return the mean negative log-likelihood of distances (N, 1, H, W), Laplace with means `predicted`."""
    return torch.mean(distance / predicted + predicted.log())


def within_gamut(gray: Tensor, chroma: Tensor) -> Tensor:
    """Scale chroma (N, 2, H, W) towards gray where RGB of luma (N, 1, H, W) would leave [0, 1] (BT.601)."""
    blue, red = chroma[:, :1], chroma[:, 1:]
    offset = torch.cat((1.402 * red, -0.344136 * blue - 0.714136 * red, 1.772 * blue), dim=1)
    headroom = torch.where(offset > 0, 1.0 - gray, gray) / offset.abs().clamp_min(1e-6)
    return chroma * headroom.amin(dim=1, keepdim=True).clamp(0.0, 1.0)
