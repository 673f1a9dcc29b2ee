"""How many pictures are computed at once, and fewer from then on when they do not fit."""

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
"""Windows that an engine is handed at once: what it makes of them is its own affair."""

Pictures = NDArray[np.float32]
Item = TypeVar("Item")


class Batches:
    """Hands pictures to a device in batches of a power of two, so that few sizes need be prepared.

    `pixels` bounds a batch. It is halved when a batch gets no memory, and stays so; one picture is always
    tried, whatever its size.
    """

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels

    def run(self, compute: Callable[[Pictures], Pictures], pictures: Pictures) -> Pictures:
        """Return what `compute` makes of pictures (N, H, W), put together again.

        Raises OutOfMemory if it does so for a single picture, or whatever else `compute` raises.
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
    """Return the largest power of two that is at most `most`, or 1."""
    return 1 << max(0, most.bit_length() - 1)


def in_groups(items: Iterable[Item], size: int = HANDED_OVER) -> Iterator[tuple[Item, ...]]:
    """Yield items in groups of `size`, the last one of what is left."""
    left = iter(items)
    while group := tuple(itertools.islice(left, size)):
        yield group
