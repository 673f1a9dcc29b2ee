"""Scratches, specks and hairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from restoration.training.film import Film, develop
from restoration.training.film.damage import dusted, scratched

GRAY = develop(data.astronaut()[200:328, 100:228], Film(), np.random.default_rng(0))


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_scratches_touch_few_pixels_and_leave_the_others_alone(count: int, seed: int) -> None:
    before = GRAY.copy()

    after = scratched(GRAY, count, np.random.default_rng(seed))

    assert np.array_equal(GRAY, before)
    assert after.dtype == np.float32
    assert np.mean(after != GRAY) < 0.03 * count
    assert 0 <= after.min() <= after.max() <= 1


@given(st.integers(2, 24), st.integers(0, 2), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_dust_touches_few_pixels_and_leaves_the_others_alone(specks: int, hairs: int, seed: int) -> None:
    after = dusted(GRAY, specks, hairs, np.random.default_rng(seed))

    assert np.mean(after != GRAY) < 0.07
    assert 0 <= after.min() <= after.max() <= 1


def test_damage_is_visible() -> None:
    flat = np.full((128, 128), 0.5, np.float32)
    scratches = [np.abs(scratched(flat, 3, np.random.default_rng(seed)) - flat).max() for seed in range(40)]
    specks = [np.abs(dusted(flat, 12, 0, np.random.default_rng(seed)) - flat).max() for seed in range(40)]
    hairs = [np.mean(dusted(flat, 0, 2, np.random.default_rng(seed)) != flat) for seed in range(40)]

    assert np.mean(np.array(scratches) > 0.15) > 0.8
    assert min(specks) > 0.15
    assert np.median(hairs) > 0.003


def test_both_light_and_dark_damage_occurs() -> None:
    flat = np.full((128, 128), 0.5, np.float32)
    for damage in (lambda rng: scratched(flat, 4, rng), lambda rng: dusted(flat, 20, 2, rng)):
        pictures = [damage(np.random.default_rng(seed)) for seed in range(20)]
        assert max(picture.max() for picture in pictures) > 0.8
        assert min(picture.min() for picture in pictures) < 0.2


def test_most_scratches_run_along_one_side_of_the_picture() -> None:
    flat = np.full((128, 128), 0.5, np.float32)
    along = 0
    for seed in range(60):
        hit = scratched(flat, 1, np.random.default_rng(seed)) != flat
        rows, columns = np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))
        if rows.size and columns.size:
            narrow, wide = sorted((np.ptp(rows), np.ptp(columns)))
            along += narrow < 0.25 * wide
    assert along > 36


@pytest.mark.parametrize("shape", [(5, 200), (200, 5), (3, 3)])
def test_damage_stays_inside_a_picture_of_any_shape(shape: tuple[int, int]) -> None:
    flat = np.full(shape, 0.5, np.float32)
    for seed in range(20):
        for after in (
            scratched(flat, 4, np.random.default_rng(seed)),
            dusted(flat, 24, 2, np.random.default_rng(seed)),
        ):
            assert after.shape == shape
            assert np.isfinite(after).all()


def test_a_picture_that_is_a_view_is_damaged_as_its_copy_is() -> None:
    turned = GRAY.T

    assert np.array_equal(
        scratched(turned, 4, np.random.default_rng(2)), scratched(turned.copy(), 4, np.random.default_rng(2))
    )
    assert (scratched(turned, 4, np.random.default_rng(2)) != turned).any()
