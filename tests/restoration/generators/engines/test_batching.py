"""Pictures are split into batches that fit; none is lost, left gray or repeated."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from restoration.errors import OutOfMemory
from restoration.generators.engines.batching import Batches, in_groups, largest_power


class Small:
    """A device with memory for a number of pixels, which returns two planes for each picture."""

    def __init__(self, pixels: int) -> None:
        self.pixels = pixels
        self.sizes: list[int] = []

    def compute(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        self.sizes.append(len(pictures))
        if pictures.size > self.pixels:
            raise OutOfMemory(reason="too many", remedy="fewer")
        return np.stack((pictures, -pictures), axis=1)


def _pictures(count: int, side: int = 4) -> NDArray[np.float32]:
    return np.arange(count * side * side, dtype=np.float32).reshape(count, side, side)


@given(count=st.integers(1, 70), batch=st.integers(0, 70), fits=st.integers(1, 70))
def test_all_pictures_come_back_once_and_in_their_order(count: int, batch: int, fits: int) -> None:
    device = Small(fits * 16)

    made = Batches(batch * 16).run(device.compute, _pictures(count))

    assert np.array_equal(made[:, 0], _pictures(count))
    assert all(size & (size - 1) == 0 and size <= max(1, batch) for size in device.sizes)


def test_a_batch_that_did_not_fit_is_not_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    device, batches = Small(5 * 16), Batches(32 * 16)

    with caplog.at_level(logging.WARNING):
        batches.run(device.compute, _pictures(32))
    assert device.sizes == [32, 16, 8, *[4] * 8]
    assert "4 from now on" in caplog.text

    device.sizes.clear()
    batches.run(device.compute, _pictures(9))
    assert device.sizes == [4, 4, 1]


def test_larger_pictures_go_in_smaller_batches() -> None:
    device, batches = Small(10**9), Batches(16 * 16)

    batches.run(device.compute, _pictures(4, side=8))

    assert device.sizes == [4]
    device.sizes.clear()
    batches.run(device.compute, _pictures(4, side=16))
    assert device.sizes == [1, 1, 1, 1]


def test_a_large_picture_does_not_shrink_batches_of_small_ones() -> None:
    device, batches = Small(16 * 16), Batches(16 * 16)

    with pytest.raises(OutOfMemory):
        batches.run(device.compute, _pictures(1, side=32))
    device.sizes.clear()

    batches.run(device.compute, _pictures(16))
    assert device.sizes == [16]


def test_one_picture_that_does_not_fit_fails_loudly() -> None:
    device = Small(15)

    with pytest.raises(OutOfMemory):
        Batches(64 * 16).run(device.compute, _pictures(8))
    assert device.sizes == [8, 4, 2, 1]


def test_other_failures_make_no_batch_smaller() -> None:
    batches = Batches(64 * 16)

    def broken(_: NDArray[np.float32]) -> NDArray[np.float32]:
        raise RuntimeError("an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        batches.run(broken, _pictures(8))
    assert batches.pixels == 64 * 16


def test_powers_and_groups() -> None:
    assert [largest_power(most) for most in (0, 1, 2, 3, 4, 31, 32)] == [1, 1, 2, 2, 4, 16, 32]
    assert list(in_groups("abcde", 2)) == [("a", "b"), ("c", "d"), ("e",)]
    assert list(in_groups("", 2)) == []
