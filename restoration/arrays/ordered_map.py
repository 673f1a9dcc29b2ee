"""Ordered parallel map: strips are processed by several threads and yielded in their order.

numpy, libvips and the codecs release Python's lock, so threads suffice.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from restoration.arrays.buffer_pool import BufferPool

_MAX_THREADS = 4
"""More threads than this would wait for the one that decodes and writes."""

_AHEAD = 2
"""Items taken beyond one for each thread, so that no thread waits for the consumer."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def usual_threads() -> int:
    """Return the default number of threads: one for each usable core, at most four."""
    return min(_MAX_THREADS, len(os.sched_getaffinity(0)))


def in_order(
    items: Iterable[_Item], work: Callable[[_Item, BufferPool], _Result], threads: int
) -> Iterator[_Result]:
    """Yield `work(item, buffers)` for each item, in the order of the items, computed by `threads` threads.

    A few items are taken ahead. Arrays in the buffer pool are valid until the next result is requested.
    Raises whatever `work` or `items` raises; then no further item is started.
    """
    pools = deque(BufferPool() for _ in range(threads + _AHEAD))
    pending: deque[tuple[Future[_Result], BufferPool]] = deque()
    with ThreadPoolExecutor(threads, "ordered-map") as executor:
        try:
            for item in items:
                buffers = pools.popleft()
                pending.append((executor.submit(work, item, buffers), buffers))
                if not pools:
                    future, buffers = pending.popleft()
                    yield future.result()
                    pools.append(buffers)
            while pending:
                yield pending.popleft()[0].result()
        finally:
            for future, _ in pending:
                future.cancel()
