"""Batches of items: a statement with an id list must stay within the parameter limits of the databases."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size` (`itertools.batched` needs Python 3.12)."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
