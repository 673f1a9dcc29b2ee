"""How a small chroma field is enlarged so that color stops where the scan's own edges are.

The fast guided filter (He and Sun 2015): within a small neighborhood chroma is taken as a linear function of
luminance, a Y + b. The coefficients are solved on a reduced copy, averaged, and only they are enlarged; the
scan's full-size luminance then draws the edges, strip by strip.
"""

from dataclasses import dataclass

import numpy as np

from restoration import resample
from restoration.color import Float, Gray

_EPSILON = 1e-3
"""Variance of luminance (range 0 to 1) below which a neighborhood counts as flat: about 8 of 255 steps."""

_ROWS = 256


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
        radius = max(2, round(1.5 * max(luminance.shape) / max(chroma.shape[1:])))
        mean = _box(luminance, radius)
        variance: Float = _box(np.square(luminance), radius) - np.square(mean)
        spread: Float = np.maximum(variance, 0) + np.float32(_EPSILON)
        slopes, offsets = (np.empty((2, *luminance.shape), np.float32) for _ in range(2))
        for plane, slope, offset in zip(chroma, slopes, offsets, strict=True):
            target = resample.enlarge(plane, *luminance.shape)
            mean_chroma = _box(target, radius)
            covariance: Float = _box(np.multiply(target, luminance), radius) - mean_chroma * mean
            fitted: Float = covariance / spread
            slope[...] = _box(fitted, radius)
            offset[...] = _box(np.subtract(mean_chroma, fitted * mean), radius)
        return cls(slopes, offsets, height, width)

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


def _box(plane: Float, radius: int) -> Float:
    """Return the mean of a plane (H, W) over squares of 2 radius + 1 samples; edges are held."""
    return _box_rows(_box_rows(plane, radius).T, radius).T


def _box_rows(plane: Float, radius: int) -> Float:
    """Return the running mean of each row, some rows at a time so that the sums in double stay small."""
    size = 2 * radius + 1
    means = np.empty(plane.shape, np.float32)
    for top in range(0, len(plane), _ROWS):
        held = np.pad(plane[top : top + _ROWS], ((0, 0), (radius + 1, radius)), mode="edge")
        sums = np.cumsum(held, axis=1, dtype=np.float64)
        means[top : top + _ROWS] = (sums[:, size:] - sums[:, :-size]) / size
    return means
