"""Metrics of a rendering: the truth, gray, and SSIM."""

import dataclasses
import sys

import numpy as np
import pytest
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from restoration.arrays.luma import luma
from restoration.evaluation.features import FeatureNetwork
from restoration.evaluation.metrics import (
    MAX_PSNR,
    PictureWithFeatures,
    RenderingMetrics,
    mean_of_metrics,
    rendering_metrics,
    ssim,
)
from restoration.evaluation.rendering import left_gray
from restoration.training.metrics import ciede2000, colorfulness
from restoration.training.recipe import TrainingError

ASTRONAUT = np.ascontiguousarray(data.astronaut()[::3, ::3])


@pytest.fixture(scope="module")
def true(eye: FeatureNetwork) -> PictureWithFeatures:
    return PictureWithFeatures(ASTRONAUT, eye.features(ASTRONAUT))


def test_the_truth_is_as_near_as_can_be(true: PictureWithFeatures) -> None:
    found = rendering_metrics(true, true, 0.2)

    assert (found.psnr, found.ssim) == (MAX_PSNR, pytest.approx(1.0))
    assert (found.chroma_l1, found.ciede2000, found.feature_distance) == (0, 0, 0)
    assert found.colorfulness == pytest.approx(colorfulness(ASTRONAUT / 255), rel=1e-5)
    assert found.blotches is not None
    assert 0 < found.blotches < 0.5


def test_gray_is_off_in_everything_but_has_no_blotches(
    true: PictureWithFeatures, eye: FeatureNetwork
) -> None:
    gray = left_gray(luma(ASTRONAUT))

    found = rendering_metrics(PictureWithFeatures(gray, eye.features(gray)), true, 0.2)

    assert found.psnr == pytest.approx(peak_signal_noise_ratio(ASTRONAUT, gray), abs=1e-4)
    assert found.chroma_l1 > 0.02
    assert found.ciede2000 > 5
    assert found.feature_distance > 0.05
    assert (found.colorfulness, found.blotches) == (pytest.approx(0, abs=1e-6), 0)


def test_without_a_threshold_blotches_are_unknown(true: PictureWithFeatures) -> None:
    assert rendering_metrics(true, true, None).blotches is None


def test_a_mean_is_over_pictures_and_unknown_where_one_is() -> None:
    one = RenderingMetrics(20.0, 0.5, 0.1, 4.0, 10.0, 0.2, 0.01)
    two = RenderingMetrics(30.0, 0.7, 0.3, 8.0, 30.0, 0.4, 0.03)

    assert mean_of_metrics([one, two]) == RenderingMetrics(
        25.0, 0.6, 0.2, 6.0, 20.0, pytest.approx(0.3), 0.02
    )
    assert mean_of_metrics([one, dataclasses.replace(two, blotches=None)]).blotches is None


def test_ssim_of_one_window_follows_the_paper() -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(0, 256, (11, 11, 3)).astype(np.uint8)
    second = np.clip(first + rng.normal(0, 25, first.shape), 0, 255).astype(np.uint8)
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    expected = []
    for x, y in zip(np.moveaxis(first / 1.0, 2, 0), np.moveaxis(second / 1.0, 2, 0), strict=True):
        mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
        var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
        covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        expected.append(luminance * (2 * covariance + c2) / (var_x + var_y + c2))

    assert ssim(first, second) == pytest.approx(np.mean(expected), abs=1e-9)
    assert np.mean(expected) < 0.999


def test_ssim_is_1_for_equal_pictures_and_below_0_inverted() -> None:
    assert ssim(ASTRONAUT, ASTRONAUT) == pytest.approx(1.0)
    assert ssim(ASTRONAUT, 255 - ASTRONAUT) < 0


def test_a_picture_must_hold_the_window() -> None:
    with pytest.raises(ValueError, match="win_size"):
        ssim(ASTRONAUT[:10], ASTRONAUT[:10])


def test_without_scikit_image_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)

    with pytest.raises(TrainingError, match="scikit-image is not installed") as caught:
        ssim(ASTRONAUT, ASTRONAUT)
    with pytest.raises(TrainingError, match="scikit-image is not installed"):
        ciede2000(np.zeros(3), np.ones(3))

    assert "saek[train]" in caught.value.remedy
