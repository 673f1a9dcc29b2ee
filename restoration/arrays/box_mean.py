"""The mean of a plane over squares around each sample."""

import numpy as np

from restoration.arrays.luma import Float

_ROWS = 32

_TALL = 64
"""Height in parts of the width beyond which columns are summed as rows are: theirs are too short by then."""


def box_mean(plane: Float, radius: int) -> Float:
    """Return the mean of a plane (H, W) over squares of 2 radius + 1 samples; edges are held."""
    means = _box_rows(plane, radius)
    if len(plane) > _TALL * plane.shape[1]:
        return np.ascontiguousarray(_box_rows(np.ascontiguousarray(means.T), radius).T)
    return _box_columns(means, radius)


def _box_rows(plane: Float, radius: int) -> Float:
    """Return the running mean of each row, some rows at a time so that the sums in double stay small."""
    height, width = plane.shape
    size = 2 * radius + 1
    means = np.empty(plane.shape, np.float32)
    held_, sums_ = (np.empty((_ROWS, width + size)) for _ in range(2))
    for top in range(0, height, _ROWS):
        rows = plane[top : top + _ROWS]
        held, sums = held_[: len(rows)], sums_[: len(rows)]
        held[:, : radius + 1] = rows[:, :1]
        held[:, radius + 1 : radius + 1 + width] = rows
        held[:, radius + 1 + width :] = rows[:, -1:]
        np.cumsum(held, axis=1, out=sums)
        differences = held[:, :width]
        np.subtract(sums[:, size:], sums[:, :-size], out=differences)
        np.divide(differences, size, out=means[top : top + _ROWS], casting="same_kind")
    return means


def _box_columns(plane: Float, radius: int) -> Float:
    """Return the running mean of each column: a whole row of sums moves down."""
    last = len(plane) - 1
    means = np.empty(plane.shape, np.float32)
    sums = plane[0] * np.float64(radius + 1)
    for row in range(1, radius + 1):
        sums += plane[min(row, last)]
    for row in range(len(plane)):
        np.divide(sums, 2 * radius + 1, out=means[row], casting="same_kind")
        sums += plane[min(row + radius + 1, last)]
        sums -= plane[max(row - radius, 0)]
    return means
