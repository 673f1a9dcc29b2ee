"""Resampling of planes: area averaging and bilinear interpolation, deterministic on every machine.

Samples are at pixel centers, so a plane that is reduced and enlarged again does not shift. OpenCV's
INTER_AREA and INTER_LINEAR round in float32 and would change pixels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Float


def fit(height: int, width: int, long_side: int) -> tuple[int, int]:
    """Return height and width scaled so that the longer is `long_side`, each at least 1."""
    scale = long_side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def reduce(planes: Float, height: int, width: int) -> Float:
    """Return planes (..., H, W) averaged over equal areas to (..., height, width) float32, at most H x W."""
    return _average(_average(planes, height, -2), width, -1)


def enlarge(planes: Float, height: int, width: int) -> Float:
    """Return planes (..., h, w) float32 interpolated bilinearly to (..., height, width)."""
    rows = Linear.between(planes.shape[-2], height)
    columns = Linear.between(planes.shape[-1], width)
    return columns.along_width(rows.along_height(planes))


def resize(planes: Float, height: int, width: int) -> Float:
    """Return planes (..., H, W) resized to (..., height, width) float32: each axis is reduced or enlarged."""
    reduced = reduce(planes, min(height, planes.shape[-2]), min(width, planes.shape[-1]))
    return enlarge(reduced, height, width)


def _average(planes: Float, size: int, axis: int) -> Float:
    length = planes.shape[axis]
    if size == length:
        return planes
    moved = np.moveaxis(planes, axis, -1)
    sums = np.zeros((*moved.shape[:-1], length + 1))
    np.cumsum(moved, axis=-1, dtype=np.float64, out=sums[..., 1:])
    edges = np.arange(size + 1) * (length / size)
    below = np.minimum(edges.astype(np.intp), length - 1)
    fraction = edges - below
    at_edges = sums[..., below] + fraction * (sums[..., below + 1] - sums[..., below])
    means = np.diff(at_edges, axis=-1) * (size / length)
    return np.ascontiguousarray(np.moveaxis(means, -1, axis), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Linear:
    """Linear interpolation along one axis."""

    first: npt.NDArray[np.intp]
    """(target,): index of the source sample at or before each target sample."""
    second: npt.NDArray[np.intp]
    """(target,): index of the source sample after it."""
    fraction: Float
    """(target,): distance from the first in [0, 1]."""

    @classmethod
    def between(cls, size: int, target: int) -> "Linear":
        """Interpolate `target` samples from `size`; beyond the outer centers the edge is repeated."""
        at = np.clip((np.arange(target) + 0.5) * (size / target) - 0.5, 0, size - 1)
        first = np.minimum(at.astype(np.intp), max(size - 2, 0))
        return cls(first, np.minimum(first + 1, size - 1), (at - first).astype(np.float32))

    def rows(self, start: int, stop: int) -> "Linear":
        """Return the interpolation of the target samples `start` to `stop`, exclusive."""
        return Linear(self.first[start:stop], self.second[start:stop], self.fraction[start:stop])

    def along_height(self, planes: Float) -> Float:
        """Interpolate planes (..., h, w) to (..., height, w)."""
        upper = planes[..., self.first, :]
        return upper + self.fraction[:, None] * (planes[..., self.second, :] - upper)

    def along_width(self, planes: Float) -> Float:
        """Interpolate planes (..., h, w) to (..., h, width)."""
        out = np.empty((*planes.shape[:-1], len(self.first)), np.float32)
        self.take(planes, out, BufferPool())
        return out

    def take(self, planes: Float, out: Float, buffers: BufferPool) -> None:
        """Interpolate planes (..., h, w) into `out` (..., h, width), both float32."""
        slopes = np.zeros_like(planes)
        np.subtract(planes[..., 1:], planes[..., :-1], out=slopes[..., :-1])
        held = buffers.array("held", out.shape, np.float32)
        np.take(planes, self.first, axis=-1, out=held, mode="clip")  # "raise" would copy
        np.take(slopes, self.first, axis=-1, out=out, mode="clip")
        out *= self.fraction
        out += held
