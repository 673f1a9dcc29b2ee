"""Normalization of the input and output pictures of the study's networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from restoration.arrays.luma import luma

Bytes = NDArray[np.uint8]

COLOR_MEAN = (0.58090717, 0.52688643, 0.45678478)
COLOR_STD = (0.25644188, 0.25482641, 0.24456465)
GRAY_MEAN = 0.5350533
GRAY_STD = 0.25051587


@dataclass(frozen=True, slots=True)
class Normalization:
    """Per-channel standardization of values in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, values: Tensor) -> Tensor:
        """Normalize (N, C, H, W)."""
        return (values - _planes(self.mean, values)) / _planes(self.std, values)

    def invert(self, normalized: Tensor) -> Tensor:
        """Invert `apply`: (N, C, H, W), not clipped."""
        return normalized * _planes(self.std, normalized) + _planes(self.mean, normalized)

    def reach(self) -> tuple[tuple[float, float], ...]:
        """Return the range of each channel whose normalized values are within [-1, 1]."""
        return tuple((mean - std, mean + std) for mean, std in zip(self.mean, self.std, strict=True))


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Normalization of color and gray; the defaults are the study's."""

    color_mean: tuple[float, ...] = COLOR_MEAN
    color_std: tuple[float, ...] = COLOR_STD
    gray_mean: float = GRAY_MEAN
    gray_std: float = GRAY_STD

    @property
    def color(self) -> Normalization:
        """Normalization of color pictures."""
        return Normalization(tuple(self.color_mean), tuple(self.color_std))

    @property
    def gray(self) -> Normalization:
        """Normalization of gray pictures."""
        return Normalization((self.gray_mean,), (self.gray_std,))

    def condition(self, gray: Bytes) -> Tensor:
        """Normalize gray (N, H, W), uint8, into three equal channels (N, 3, H, W), float32."""
        values = torch.from_numpy(gray.astype(np.float32) / np.float32(255.0))[:, None]
        return self.gray.apply(values).expand(-1, 3, -1, -1).contiguous()

    def target(self, rgb: Bytes) -> Tensor:
        """Normalize sRGB (N, H, W, 3), uint8 -> (N, 3, H, W), float32."""
        values = np.ascontiguousarray(rgb.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255.0)
        return self.color.apply(torch.from_numpy(values))

    def picture(self, normalized: Tensor) -> Bytes:
        """Invert `target`: (N, 3, H, W) -> sRGB (N, H, W, 3), uint8, clipped and rounded."""
        values = self.color.invert(normalized.detach().float().cpu()).clamp(0.0, 1.0)
        return np.asarray(np.rint(255.0 * values.permute(0, 2, 3, 1).numpy()).astype(np.uint8))

    def best_reachable(self, rgb: Bytes) -> Bytes:
        """Return the best output, for sRGB (N, H, W, 3), uint8, of a generator that ends in tanh."""
        return self.picture(self.target(rgb).clamp(-1.0, 1.0))

    def unreachable_share(self, rgb: Bytes) -> float:
        """Return the share of the values of sRGB (N, H, W, 3), uint8, that tanh does not reach."""
        return float((self.target(rgb).abs() > 1.0).float().mean())


def gray_of(rgb: Bytes) -> Bytes:
    """Return the BT.601 luma (..., H, W), uint8, of sRGB (..., H, W, 3), uint8."""
    return np.asarray(luma(rgb), dtype=np.uint8)


def _planes(figures: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(figures, dtype=like.dtype, device=like.device).view(1, -1, 1, 1)
