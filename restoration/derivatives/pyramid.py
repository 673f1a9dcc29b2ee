"""How rows that come from top to bottom become the tiles of a picture and of its reduced copies.

Each level keeps one row of tiles; when that is full, its tiles go out and its rows, averaged two by two, go
on to the level below. So a gigapixel needs a few rows of tiles, whatever its height.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from restoration.arrays.luma import Gray
from restoration.derivatives.compose import Canvas, Painted

TILE: Final = 256
"""Side of a tile in pixels."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A tile (TILE, TILE, bands): beyond the picture's edge its last row and column go on."""

    level: int
    samples: Gray


def levels_of(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Return width and height of the picture and its halves, down to the first that fits one tile."""
    levels = [(width, height)]
    while max(levels[-1]) > TILE:
        levels.append((max(1, levels[-1][0] // 2), max(1, levels[-1][1] // 2)))
    return tuple(levels)


def pieces(rows: Iterator[Painted], canvas: Canvas) -> Iterator[Piece]:
    """Yield the tiles of all levels; those of one level come row by row, left to right."""
    levels = [_Level(i, *size, canvas) for i, size in enumerate(levels_of(canvas.width, canvas.height))]
    for painted in rows:
        yield from _enter(levels, painted.samples)


def _enter(levels: list["_Level"], samples: Gray) -> Iterator[Piece]:
    level, below = levels[0], levels[1:]
    at = 0
    while at < len(samples):
        taken = level.take(samples[at:])
        if level.full:
            yield from level.tiles()
            halved = level.halved()
            level.empty()
            if below and halved.size:
                yield from _enter(below, halved)
        if not taken:
            return  # an odd last row has no half
        at += taken


class _Level:
    """One row of tiles of one level."""

    def __init__(self, index: int, width: int, height: int, canvas: Canvas) -> None:
        self._index, self._width, self._height = index, width, height
        rows = min(TILE, height)
        self._samples: Gray = np.empty((rows, width, canvas.bands), canvas.dtype)
        self._done = 0
        self._filled = 0

    @property
    def full(self) -> bool:
        """Whether a row of tiles, or the rest of the picture, is there."""
        return self._filled > 0 and self._filled == min(TILE, self._height - self._done)

    def take(self, samples: Gray) -> int:
        """Take in rows until a row of tiles is full; return how many."""
        count = min(len(samples), TILE - self._filled, self._height - self._done - self._filled)
        place = slice(self._filled, self._filled + count)
        self._samples[place] = samples[:count, : self._width]
        self._filled += count
        return count

    def tiles(self) -> Iterator[Piece]:
        """Yield the tiles of the full row; they are copies."""
        for left in range(0, self._width, TILE):
            place = (slice(self._filled), slice(left, left + TILE))
            yield Piece(self._index, _padded(self._samples[place]))

    def halved(self) -> Gray:
        """Return the full row averaged two by two, without an odd last row or column unless it is alone."""
        samples = self._samples[: self._filled]
        if self._height == 1:
            samples = np.repeat(samples, 2, axis=0)
        if self._width == 1:
            samples = np.repeat(samples, 2, axis=1)
        height, width = len(samples) // 2, samples.shape[1] // 2
        quarter = np.zeros((height, width, samples.shape[2]), np.uint32)
        for row in (0, 1):
            for column in (0, 1):
                quarter += samples[row : 2 * height : 2, column : 2 * width : 2]
        quarter += 2
        quarter >>= 2
        return quarter.astype(samples.dtype)

    def empty(self) -> None:
        """Begin the next row of tiles."""
        self._done += self._filled
        self._filled = 0


def _padded(part: Gray) -> Gray:
    rows, columns = TILE - part.shape[0], TILE - part.shape[1]
    return np.pad(part, [(0, rows), (0, columns), (0, 0)], mode="edge")
