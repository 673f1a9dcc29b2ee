"""How small planes are made smaller by area and larger by bilinear interpolation, deterministically.

Both place samples at pixel centers, so a plane that is reduced and enlarged again does not shift.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Float


def fit(height: int, width: int, long_side: int) -> tuple[int, int]:
    """Return height and width scaled so that the longer is `long_side`; neither falls below 1."""
    scale = long_side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def reduce(planes: Float, height: int, width: int) -> Float:
    """Return planes (..., H, W) averaged over equal areas to (..., height, width), at most H x W."""
    return _average(_average(planes, height, -2), width, -1)


def enlarge(planes: Float, height: int, width: int) -> Float:
    """Return planes (..., h, w) interpolated bilinearly to (..., height, width)."""
    rows = Linear.between(planes.shape[-2], height)
    columns = Linear.between(planes.shape[-1], width)
    return columns.along_width(rows.along_height(planes))


def resize(planes: Float, height: int, width: int) -> Float:
    """Return planes (..., H, W) as (..., height, width): reduced or enlarged, each axis by itself."""
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
    part = edges - below
    at_edges = sums[..., below] + part * (sums[..., below + 1] - sums[..., below])
    means = np.diff(at_edges, axis=-1) * (size / length)
    return np.ascontiguousarray(np.moveaxis(means, -1, axis), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Linear:
    """Between which two samples each target sample lies, and how far from the first."""

    first: npt.NDArray[np.intp]
    second: npt.NDArray[np.intp]
    part: Float

    @classmethod
    def between(cls, size: int, target: int) -> "Linear":
        """Lay `target` samples over `size`; beyond the outer centers the edge is held."""
        at = np.clip((np.arange(target) + 0.5) * (size / target) - 0.5, 0, size - 1)
        first = np.minimum(at.astype(np.intp), max(size - 2, 0))
        return cls(first, np.minimum(first + 1, size - 1), (at - first).astype(np.float32))

    def rows(self, start: int, stop: int) -> "Linear":
        """Return the targets from `start` to before `stop`."""
        return Linear(self.first[start:stop], self.second[start:stop], self.part[start:stop])

    def along_height(self, planes: Float) -> Float:
        """Interpolate (..., h, w) along its height."""
        upper = planes[..., self.first, :]
        return upper + self.part[:, None] * (planes[..., self.second, :] - upper)

    def along_width(self, planes: Float) -> Float:
        """Interpolate (..., h, w) along its width."""
        out = np.empty((*planes.shape[:-1], len(self.first)), np.float32)
        self.take(planes, out, BufferPool())
        return out

    def take(self, planes: Float, out: Float, buffers: BufferPool) -> None:
        """Interpolate (..., h, w) along its width into `out` (..., h, width)."""
        slopes = np.zeros_like(planes)
        np.subtract(planes[..., 1:], planes[..., :-1], out=slopes[..., :-1])
        held = buffers.array("held", out.shape, np.float32)
        np.take(planes, self.first, axis=-1, out=held, mode="clip")  # "raise" would copy
        np.take(slopes, self.first, axis=-1, out=out, mode="clip")
        out *= self.part
        out += held
