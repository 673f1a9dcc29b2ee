from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.arrays import resample
from restoration.arrays.area_mean import AreaMean


def mean_of(samples: np.ndarray, height: int, width: int, step: int) -> np.ndarray:
    mean = AreaMean(*samples.shape[:2], height, width)
    for top in range(0, len(samples), step):
        mean.add(samples[top : top + step])
    return mean.planes()


@given(st.data(), st.integers(1, 60), st.integers(1, 60), st.sampled_from([np.uint8, np.uint16]))
def test_no_strip_height_changes_a_bit(data: st.DataObject, rows: int, columns: int, depth: type) -> None:
    height, width = data.draw(st.integers(1, rows)), data.draw(st.integers(1, columns))
    step, bands = data.draw(st.integers(1, rows)), data.draw(st.sampled_from([1, 3]))
    top = np.iinfo(depth).max
    samples = np.random.default_rng(rows).integers(0, top + 1, (rows, columns, bands)).astype(depth)
    whole = mean_of(samples, height, width, rows)
    assert np.array_equal(mean_of(samples, height, width, step), whole)
    expected = resample.reduce(np.moveaxis(samples / np.float32(top), -1, 0), height, width)
    assert np.allclose(whole, expected, atol=1e-5)


def test_a_mean_is_the_exact_one_rounded_once() -> None:
    samples = np.random.default_rng(1).integers(0, 65536, (7, 5, 1)).astype(np.uint16)
    got = mean_of(samples, 2, 3, 1)[0]
    for y in range(2):
        for x in range(3):
            total = Fraction(0)
            for i in range(7):
                for j in range(5):
                    high = max(0, min(2 * i + 2, 7 * y + 7) - max(2 * i, 7 * y))
                    wide = max(0, min(3 * j + 3, 5 * x + 5) - max(3 * j, 5 * x))
                    total += high * wide * int(samples[i, j, 0])
            assert got[y, x] == np.float32(float(total / (35 * 65535)))


def test_the_sums_hold_the_largest_masters() -> None:
    rows = np.full((1, 1000, 1), 65535, np.uint16)
    mean = AreaMean(2_000_000, 1000, 1, 1000)
    mean.add(np.broadcast_to(rows, (2_000_000, 1000, 1)))
    assert mean.planes().min() == mean.planes().max() == 1


def test_rows_that_are_missing_are_noticed() -> None:
    mean = AreaMean(4, 4, 2, 2)
    mean.add(np.zeros((3, 4, 1), np.uint8))
    with pytest.raises(ValueError, match="3 of 4 rows"):
        mean.planes()
