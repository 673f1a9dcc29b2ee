"""The Fréchet distance: Gaussians of which it is known, and the textbook's formula."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from restoration.evaluation.frechet import frechet_distance


def textbook(first: np.ndarray, second: np.ndarray) -> float:
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    apart = first.mean(axis=0) - second.mean(axis=0)
    return float(apart @ apart + np.trace(a + b - 2 * np.real(sqrtm(a @ b))))


def sample(seed: int, count: int, features: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, features)) @ rng.normal(size=(features, features)) + rng.normal(
        size=features
    )


def test_equal_samples_do_not_differ() -> None:
    assert frechet_distance(sample(1, 12, 40), sample(1, 12, 40)) == pytest.approx(0.0, abs=1e-9)


def test_moved_gaussians_differ_by_the_square_of_the_way() -> None:
    here = sample(2, 50, 6)

    assert frechet_distance(here, here + np.array([3.0, 0, 0, -4.0, 0, 0])) == pytest.approx(25.0)


def test_of_one_feature_it_is_the_distance_of_means_and_of_deviations() -> None:
    first, second = sample(3, 60, 1), 2.5 * sample(4, 70, 1)

    means = float((first.mean() - second.mean()) ** 2)
    assert frechet_distance(first, second) == pytest.approx(
        means + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    )


@pytest.mark.parametrize("counts", [(90, 80), (200, 31)])
def test_with_more_pictures_than_features_it_is_the_textbooks(counts: tuple[int, int]) -> None:
    first, second = sample(5, counts[0], 8), sample(6, counts[1], 8)

    assert frechet_distance(first, second) == pytest.approx(textbook(first, second), rel=1e-6)


def test_with_fewer_pictures_than_features_the_root_is_that_of_the_singular_covariances() -> None:
    first, second = sample(7, 9, 30), sample(8, 7, 30)
    values, vectors = np.linalg.eigh(np.cov(first, rowvar=False))
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    between = np.linalg.eigvalsh(root @ np.cov(second, rowvar=False) @ root)
    apart = first.mean(axis=0) - second.mean(axis=0)
    spread = first.var(axis=0, ddof=1).sum() + second.var(axis=0, ddof=1).sum()

    expected = apart @ apart + spread - 2 * np.sqrt(np.maximum(between, 0)).sum()

    assert frechet_distance(first, second) == pytest.approx(float(expected), rel=1e-6)


@given(st.integers(0, 1000), st.integers(2, 20), st.integers(2, 20))
def test_it_is_symmetric_and_never_negative(seed: int, first: int, second: int) -> None:
    a, b = sample(seed, first, 5), sample(seed + 1, second, 5)

    assert frechet_distance(a, b) >= 0
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9, abs=1e-9)


def test_one_picture_has_no_spread() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        frechet_distance(sample(1, 1, 3), sample(1, 5, 3))
