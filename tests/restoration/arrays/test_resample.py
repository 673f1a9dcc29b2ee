import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.arrays import resample

SIDE = st.integers(1, 40)


@given(SIDE, SIDE, st.data())
def test_reducing_keeps_the_mean(height: int, width: int, data: st.DataObject) -> None:
    plane = np.random.default_rng(height * 41 + width).random((2, height, width), dtype=np.float32)
    smaller = resample.reduce(plane, data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    assert smaller.mean((1, 2)) == pytest.approx(plane.mean((1, 2)), abs=1e-5)


@given(SIDE, SIDE, SIDE, SIDE)
def test_a_flat_plane_stays_flat_at_any_size(h: int, w: int, height: int, width: int) -> None:
    enlarged = resample.enlarge(np.full((h, w), 0.25, np.float32), height, width)
    assert enlarged.shape == (height, width)
    assert np.allclose(enlarged, 0.25)


def test_enlarging_does_not_shift_the_picture() -> None:
    ramp = np.linspace(0, 1, 16, dtype=np.float32)[None]
    larger = resample.enlarge(ramp, 1, 64)
    assert np.allclose(resample.reduce(larger, 1, 16)[0, 2:-2], ramp[0, 2:-2], atol=1e-6)


def test_rows_of_an_enlargement_are_the_same_taken_one_by_one() -> None:
    plane = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    linear = resample.Linear.between(5, 23)
    strips = [linear.rows(top, top + 4).along_height(plane) for top in range(0, 23, 4)]
    assert np.array_equal(np.concatenate(strips), linear.along_height(plane))


def test_the_longer_side_fits_and_none_vanishes() -> None:
    assert resample.fit(4000, 3, 400) == (400, 1)
    assert resample.fit(30, 40, 400) == (300, 400)
