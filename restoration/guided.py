"""How a small chroma field is enlarged so that color stops where the scan's own edges are.

The fast guided filter (He and Sun 2015): within a small neighborhood chroma is taken as a linear function of
luminance, a Y + b. The coefficients are solved on a reduced copy, averaged, and only they are enlarged; the
scan's full-size luminance then draws the edges, strip by strip.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoration import resample
from restoration.color import Float, Gray

_EPSILON = 1e-3
"""Variance of luminance (range 0 to 1) below which a neighborhood counts as flat: about 8 of 255 steps."""


@dataclass(frozen=True, slots=True)
class Upsampler:
    """The averaged coefficients of both chroma planes, and the size they are enlarged to."""

    slopes: Float
    """(2, h, w)"""
    offsets: Float
    """(2, h, w)"""
    height: int
    width: int

    @classmethod
    def solve(cls, chroma: Float, luminance: Float, height: int, width: int) -> "Upsampler":
        """Fit chroma (2, h, w) to the luminance (H, W) in [0, 1], reduced from `height` x `width`."""
        small = luminance.shape
        radius = max(2, round(1.5 * max(small) / max(chroma.shape[1:])))
        target = resample.enlarge(chroma, *small)
        mean = _box(luminance, radius)
        variance = _box(np.square(luminance), radius) - np.square(mean)
        mean_chroma = _box(target, radius)
        covariance = _box(target * luminance, radius) - mean_chroma * mean
        slopes = covariance / (np.maximum(variance, 0) + np.float32(_EPSILON))
        return cls(_box(slopes, radius), _box(mean_chroma - slopes * mean, radius), height, width)

    def rows(self, top: int, gray: Gray) -> Float:
        """Return Cb and Cr (2, h, width) in [-0.5, 0.5] for rows of the scan's own integers (h, width)."""
        along_height = resample.Linear.between(self.slopes.shape[1], self.height)
        along_width = resample.Linear.between(self.slopes.shape[2], self.width)
        rows = along_height.rows(top, top + gray.shape[0])
        luminance = gray.astype(np.float32) * np.float32(1 / np.iinfo(gray.dtype).max)
        chroma = along_width.along_width(rows.along_height(self.slopes))
        chroma *= luminance
        chroma += along_width.along_width(rows.along_height(self.offsets))
        return np.clip(chroma, -0.5, 0.5, out=chroma)


def _box(planes: npt.NDArray[np.floating], radius: int) -> Float:
    """Return the mean over a square of 2 radius + 1 samples, the edge held beyond the border."""
    return _box_along(_box_along(planes, radius, -1), radius, -2)


def _box_along(planes: npt.NDArray[np.floating], radius: int, axis: int) -> Float:
    moved = np.moveaxis(planes, axis, -1)
    edges = [(0, 0)] * (moved.ndim - 1) + [(radius + 1, radius)]
    sums = np.cumsum(np.pad(moved, edges, mode="edge"), axis=-1, dtype=np.float64)
    size = 2 * radius + 1
    means = (sums[..., size:] - sums[..., :-size]) / size
    return np.ascontiguousarray(np.moveaxis(means, -1, axis), dtype=np.float32)
