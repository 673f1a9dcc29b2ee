"""Batching: split network inputs into batches that fit the memory of a device."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from restoration.errors import OutOfMemory

_log = logging.getLogger(__name__)

HANDED_OVER = 32
"""Number of windows handed to an engine at once; it splits them into its own batches."""

Pictures = NDArray[np.float32]
Item = TypeVar("Item")


class Batches:
    """Splits pictures into batches of a power of two, so that kernels for few sizes are prepared.

    `pixels` limits a batch. It is halved, for good, when a batch gets no memory; a single picture is always
    tried.
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels

    def run(self, compute: Callable[[Pictures], Pictures], pictures: Pictures) -> Pictures:
        """Return `compute` of pictures (N, H, W) float32, batch by batch, concatenated along N.

        Raises OutOfMemory if a single picture gets no memory, or whatever else `compute` raises.
        """
        parts: list[Pictures] = []
        area = int(np.prod(pictures.shape[1:]))
        done = 0
        while done < len(pictures):
            size = largest_power(min(len(pictures) - done, self.pixels // area))
            try:
                parts.append(compute(pictures[done : done + size]))
            except OutOfMemory:
                if size == 1:
                    raise
                self.pixels = size // 2 * area
                _log.warning("no memory for %d pictures at once: %d from now on", size, size // 2)
            else:
                done += size
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def largest_power(most: int) -> int:
    """Return the largest power of two up to `most`, at least 1."""
    return 1 << max(0, most.bit_length() - 1)


def in_groups(items: Iterable[Item], size: int = HANDED_OVER) -> Iterator[tuple[Item, ...]]:
    """Yield items in groups of `size`, the last one of the rest."""
    left = iter(items)
    while group := tuple(itertools.islice(left, size)):
        yield group
