"""How strips are worked on side by side and still come out in their order.

numpy, libvips and the codecs release Python's lock, so threads are enough.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from restoration.arrays.buffer_pool import Room

_MOST = 4
"""More threads than this would wait for the one that decodes and writes."""

_AHEAD = 2

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def usual_threads() -> int:
    """Return how many threads strips are worked on by if nobody says."""
    return min(_MOST, len(os.sched_getaffinity(0)))


def in_order(
    items: Iterable[_Item], work: Callable[[_Item, Room], _Result], threads: int
) -> Iterator[_Result]:
    """Yield `work(item, room)` for each item in the order of the items, worked on by some threads.

    A few items are taken ahead. What lies in the room is valid until the next result is asked for. Raises
    what `work` or `items` raises; then no further item is begun.
    """
    rooms = deque(Room() for _ in range(threads + _AHEAD))
    waiting: deque[tuple[Future[_Result], Room]] = deque()
    with ThreadPoolExecutor(threads, "lane") as pool:
        try:
            for item in items:
                room = rooms.popleft()
                waiting.append((pool.submit(work, item, room), room))
                if not rooms:
                    future, room = waiting.popleft()
                    yield future.result()
                    rooms.append(room)
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            for future, _ in waiting:
                future.cancel()
