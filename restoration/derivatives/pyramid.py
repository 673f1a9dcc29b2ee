"""Tiles of a picture and of its reduced copies, from rows that come from top to bottom.

Each level buffers one row of tiles. When it is full, its tiles are yielded and its rows, averaged two by
two, are passed to the next level. So a gigapixel needs a few rows of tiles, whatever its height.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from restoration.arrays.luma import Gray
from restoration.derivatives.compose import ComposedStrip, ImageSpec

TILE_SIDE: Final = 256
"""Side of a tile in pixels."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile (TILE, TILE, bands): beyond the picture's edge its last row and column are repeated."""

    level: int
    samples: Gray


def level_sizes(width: int, height: int) -> tuple[tuple[int, int], ...]:
    """Return width and height of the picture and its halves, down to the first that fits one tile."""
    levels = [(width, height)]
    while max(levels[-1]) > TILE_SIDE:
        levels.append((max(1, levels[-1][0] // 2), max(1, levels[-1][1] // 2)))
    return tuple(levels)


def pyramid_tiles(rows: Iterator[ComposedStrip], spec: ImageSpec) -> Iterator[Tile]:
    """Yield the tiles of all levels; those of one level come row by row, left to right."""
    levels = [_Level(i, *size, spec) for i, size in enumerate(level_sizes(spec.width, spec.height))]
    for composed in rows:
        yield from _enter(levels, composed.samples)


def _enter(levels: list["_Level"], samples: Gray) -> Iterator[Tile]:
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

    def __init__(self, index: int, width: int, height: int, spec: ImageSpec) -> None:
        self._index, self._width, self._height = index, width, height
        rows = min(TILE_SIDE, height)
        self._samples: Gray = np.empty((rows, width, spec.bands), spec.dtype)
        self._done = 0
        self._filled = 0

    @property
    def full(self) -> bool:
        """True if a row of tiles, or the rest of the picture, is there."""
        return self._filled > 0 and self._filled == min(TILE_SIDE, self._height - self._done)

    def take(self, samples: Gray) -> int:
        """Take in rows until a row of tiles is full; return how many."""
        count = min(len(samples), TILE_SIDE - self._filled, self._height - self._done - self._filled)
        place = slice(self._filled, self._filled + count)
        self._samples[place] = samples[:count, : self._width]
        self._filled += count
        return count

    def tiles(self) -> Iterator[Tile]:
        """Yield the tiles of the full row; they are copies."""
        for left in range(0, self._width, TILE_SIDE):
            place = (slice(self._filled), slice(left, left + TILE_SIDE))
            yield Tile(self._index, _padded(self._samples[place]))

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
    rows, columns = TILE_SIDE - part.shape[0], TILE_SIDE - part.shape[1]
    return np.pad(part, [(0, rows), (0, columns), (0, 0)], mode="edge")
