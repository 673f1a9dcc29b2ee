import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.ordered_map import in_order


@given(st.integers(0, 30), st.integers(1, 4))
def test_results_come_in_the_order_of_the_items(count: int, threads: int) -> None:
    def work(item: int, buffers: BufferPool) -> int:
        time.sleep(0.001 * (item % 3))
        return item * item

    assert list(in_order(range(count), work, threads)) == [i * i for i in range(count)]


def test_buffers_are_valid_until_the_next_result_is_requested() -> None:
    def work(item: int, buffers: BufferPool) -> np.ndarray:
        out = buffers.array("out", (1000,), np.int64)
        out[:] = item
        return out

    for i, out in enumerate(in_order(range(50), work, 3)):
        time.sleep(0.001)
        assert (out == i).all()


def test_no_more_than_a_few_items_are_taken_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    for i, _ in enumerate(in_order(items(), lambda item, _: item, 2)):
        assert len(taken) <= i + 4


def test_an_error_ends_the_work_and_its_threads() -> None:
    done = []

    def work(item: int, buffers: BufferPool) -> None:
        if item == 3:
            raise ZeroDivisionError
        done.append(item)

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        list(in_order(range(1000), work, 2))
    assert len(done) < 20
    assert threading.active_count() == before
