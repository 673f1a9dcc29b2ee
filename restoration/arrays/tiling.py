"""Tiling: overlapping windows over a picture of any size, and their weights when they are merged."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from restoration.arrays.luma import Float

WINDOW = 256
"""Side of a window in pixels: the size that the generators were trained on."""


@dataclass(frozen=True, slots=True)
class Span:
    """A window along one axis: its first sample, and its weight (n,) float32 at each of its samples."""

    start: int
    weights: Float

    @property
    def stop(self) -> int:
        """Index of the sample after its last."""
        return self.start + len(self.weights)


def window_spans(
    length: int, size: int = WINDOW, stride: int = WINDOW // 2, offset: int = 0
) -> tuple[Span, ...]:
    """Return windows of `size` at most `stride` apart along an axis, the last one ending with it.

    An axis shorter than `size` gets one span over all of it, which the caller pads. The weights are those of
    a Hann window over their sum of all spans, so that they sum to 1 at every sample.

    `offset`, in [0, stride), begins the first window that many samples before the axis; the samples outside
    are cut off. Raises ValueError if stride or offset is out of its range.
    """
    if not 0 < stride <= size:
        raise ValueError(f"stride must be in [1, {size}], not {stride}")
    if not 0 <= offset < stride:
        raise ValueError(f"offset must be in [0, {stride}), not {offset}")
    if length <= size:
        return (Span(0, np.ones(length, np.float32)),)
    travel = length + offset - size
    count = -(-travel // stride) + 1
    starts = [round(i * travel / (count - 1)) for i in range(count)]
    hann = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    total = np.zeros(length + offset)
    for start in starts:
        total[start : start + size] += hann
    spans = []
    for start in starts:
        weights = (hann / total[start : start + size]).astype(np.float32)
        spans.append(Span(max(0, start - offset), weights[max(0, offset - start) :]))
    return tuple(spans)


def window_borders(length: int, stride: int, offset: int = 0) -> tuple[int, ...]:
    """Return the samples of an axis at which a window begins or has ended, without the ends of the axis."""
    found = {
        edge
        for span in window_spans(length, stride=stride, offset=offset)
        for edge in (span.start, span.stop)
    }
    return tuple(sorted(found - {0, length}))


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of a picture; its weight at a sample is that of the row times that of the column."""

    rows: Span
    columns: Span

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return len(self.rows.weights), len(self.columns.weights)

    def cut(self, plane: Float) -> Float:
        """Return the view (..., h, w) of a plane (..., H, W) that the window covers."""
        return plane[..., self.rows.start : self.rows.stop, self.columns.start : self.columns.stop]

    def add(self, part: Float, merged: Float) -> None:
        """Add a part (..., h, w), weighted, to the merged plane (..., H, W) in place."""
        weights = self.rows.weights[:, None] * self.columns.weights
        self.cut(merged)[...] += part * weights


def windows(height: int, width: int, stride: int, offset: tuple[int, int] = (0, 0)) -> Iterator[Window]:
    """Yield the 256 x 256 windows over a picture, row by row; `offset` of `window_spans` for both axes."""
    columns = window_spans(width, stride=stride, offset=offset[1])
    for row in window_spans(height, stride=stride, offset=offset[0]):
        for column in columns:
            yield Window(row, column)


def overlapping_windows(height: int, width: int, size: tuple[int, int]) -> tuple[Window, ...]:
    """Return windows of `size` (height, width) that overlap by at least a quarter, row by row."""
    rows, columns = (
        window_spans(length, side, max(1, 3 * side // 4))
        for length, side in zip((height, width), size, strict=True)
    )
    return tuple(Window(row, column) for row in rows for column in columns)


def window_count(height: int, width: int, stride: int) -> int:
    """Return the number of windows that `windows` yields without an offset."""
    return len(window_spans(height, stride=stride)) * len(window_spans(width, stride=stride))


def pad(plane: Float, multiple: int, min_side: int) -> Float:
    """Return a plane (H, W) reflected at its lower and right edge to multiples of `multiple`.

    No side becomes shorter than `min_side`.
    """
    height, width = (max(min_side, -(-side // multiple) * multiple) - side for side in plane.shape)
    return np.pad(plane, ((0, height), (0, width)), mode="reflect")
