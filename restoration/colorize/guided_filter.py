"""Guided upsampling of the chroma: its edges follow those of the scan's luminance.

The fast guided filter (He and Sun 2015, "Fast Guided Filter", arXiv:1505.00996): within a small neighborhood
chroma is modeled as a linear function of luminance, a Y + b. The coefficients are solved at the size of the
luminance, averaged, and only they are enlarged; the scan's full-size luminance then draws the edges, strip by
strip.
"""

from dataclasses import dataclass

import numpy as np

from restoration.arrays import resample
from restoration.arrays.box_mean import box_mean
from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Float, Gray

_EPSILON = 1e-3
"""Regularization: variance of luminance in [0, 1] below which a neighborhood counts as flat, (8 / 255)^2."""


@dataclass(frozen=True, slots=True)
class Upsampler:
    """Averaged coefficients of Cb and Cr, and their interpolation to the size of the scan."""

    coefficients: Float
    """(4, h, w): slopes of Cb and Cr, then their offsets."""
    down: resample.Linear
    """Interpolation from h to the rows of the scan."""
    across: resample.Linear
    """Interpolation from w to the columns of the scan."""

    @classmethod
    def solve(cls, chroma: Float, luminance: Float, height: int, width: int) -> "Upsampler":
        """Fit chroma (2, h, w) to the luminance (H, W) of a scan of `height` x `width`.

        All float32; chroma in [-0.5, 0.5], luminance in [0, 1].
        """
        radius = max(2, round(1.5 * max(luminance.shape) / max(chroma.shape[1:])))
        mean = box_mean(luminance, radius)
        variance: Float = box_mean(np.square(luminance), radius) - np.square(mean)
        spread: Float = np.maximum(variance, 0) + np.float32(_EPSILON)
        coefficients = np.empty((4, *luminance.shape), np.float32)
        for plane, slope, offset in zip(chroma, coefficients[:2], coefficients[2:], strict=True):
            target = resample.enlarge(plane, *luminance.shape)
            mean_chroma = box_mean(target, radius)
            covariance: Float = box_mean(np.multiply(target, luminance), radius) - mean_chroma * mean
            fitted: Float = covariance / spread
            slope[...] = box_mean(fitted, radius)
            offset[...] = box_mean(np.subtract(mean_chroma, fitted * mean), radius)
        down, across = (
            resample.Linear.between(*sizes) for sizes in zip(luminance.shape, (height, width), strict=True)
        )
        return cls(coefficients, down, across)

    def rows(self, top: int, gray: Gray | Float, buffers: BufferPool | None = None) -> Float:
        """Return Cb and Cr (2, h, width) float32 in [-0.5, 0.5] for rows of the scan from `top`.

        `gray` (h, width) are the integers of the scan, uint8 or uint16, or its luminance, float32 in [0, 1],
        where those are not sRGB. The result is in `buffers` if given.
        """
        buffers = buffers or BufferPool()
        enlarged = self._enlarged(top, len(gray), buffers)
        luminance = buffers.array("luminance", gray.shape, np.float32)
        full = {1: 255, 2: 65535}.get(gray.itemsize, 1)
        np.multiply(gray, np.float32(1 / full), out=luminance)
        chroma = enlarged[:2]
        chroma *= luminance
        chroma += enlarged[2:]
        return np.clip(chroma, -0.5, 0.5, out=chroma)

    def at_guide_size(self, luminance: Float) -> Float:
        """Return Cb and Cr (2, H, W) in [-0.5, 0.5] for the luminance (H, W) that was solved for."""
        chroma: Float = self.coefficients[:2] * luminance + self.coefficients[2:]
        return np.clip(chroma, -0.5, 0.5, out=chroma)

    def _enlarged(self, top: int, count: int, buffers: BufferPool) -> Float:
        """Return the coefficients (4, count, width) for rows from `top`: across first, on the fewest rows."""
        down = self.down.rows(top, top + count)
        first = int(down.first[0])
        few = self.coefficients[:, first : int(down.second[-1]) + 1]
        wide = buffers.array("wide", (*few.shape[:2], len(self.across.first)), np.float32)
        self.across.take(few, wide, buffers)
        steps = buffers.array("steps", (4, wide.shape[2]), np.float32)
        enlarged = buffers.array("enlarged", (4, count, wide.shape[2]), np.float32)
        for row in range(first, int(down.first[-1]) + 1):
            begin, end = np.searchsorted(down.first, (row, row + 1))
            upper, lower = wide[:, row - first], wide[:, min(row - first + 1, wide.shape[1] - 1)]
            np.subtract(lower, upper, out=steps)
            part = enlarged[:, begin:end]
            np.multiply(down.fraction[begin:end, None], steps[:, None], out=part)
            part += upper[:, None]
        return enlarged
