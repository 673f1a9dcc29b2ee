"""Box filter: the mean over a square around each sample.

Not OpenCV's `boxFilter`: it rounds sums differently and changed the pixels of 6 of 105 restorations of scans.
"""

import numpy as np

from restoration.arrays.luma import Float

_ROWS = 32
"""Rows whose sums in double are held at once."""

_TALL = 64
"""Height over width beyond which columns are summed as rows are: the rows are too short by then."""


def box_mean(plane: Float, radius: int) -> Float:
    """Return the mean of a plane (H, W) float32 over squares of side 2 radius + 1, float32.

    Samples beyond the edge repeat the edge; the radius may exceed the plane. Sums are in double.
    """
    means = _row_means(plane, radius)
    if len(plane) > _TALL * plane.shape[1]:
        return np.ascontiguousarray(_row_means(np.ascontiguousarray(means.T), radius).T)
    return _column_means(means, radius)


def _row_means(plane: Float, radius: int) -> Float:
    """Return the running mean along each row, as differences of cumulative sums."""
    height, width = plane.shape
    side = 2 * radius + 1
    means = np.empty(plane.shape, np.float32)
    padded_, sums_ = (np.empty((_ROWS, width + side)) for _ in range(2))
    for top in range(0, height, _ROWS):
        rows = plane[top : top + _ROWS]
        padded, sums = padded_[: len(rows)], sums_[: len(rows)]
        padded[:, : radius + 1] = rows[:, :1]
        padded[:, radius + 1 : radius + 1 + width] = rows
        padded[:, radius + 1 + width :] = rows[:, -1:]
        np.cumsum(padded, axis=1, out=sums)
        differences = padded[:, :width]
        np.subtract(sums[:, side:], sums[:, :-side], out=differences)
        np.divide(differences, side, out=means[top : top + _ROWS], casting="same_kind")
    return means


def _column_means(plane: Float, radius: int) -> Float:
    """Return the running mean along each column: one row of sums moves down."""
    last = len(plane) - 1
    rows = plane.astype(np.float64)
    means = np.empty(plane.shape, np.float32)
    sums = rows[0] * (radius + 1)
    for row in range(1, radius + 1):
        sums += rows[min(row, last)]
    block = np.empty((_ROWS, plane.shape[1]))
    for top in range(0, len(plane), _ROWS):
        part = block[: len(plane) - top]
        for row, out in enumerate(part, start=top):
            out[...] = sums
            sums += rows[min(row + radius + 1, last)]
            sums -= rows[max(row - radius, 0)]
        np.divide(part, 2 * radius + 1, out=means[top : top + _ROWS], casting="same_kind")
    return means
