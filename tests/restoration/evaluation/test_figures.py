"""Figures of one rendering: the truth, gray, and what lies between."""

import dataclasses

import numpy as np
import pytest
from skimage import data
from skimage.metrics import peak_signal_noise_ratio

from restoration.arrays.luma import luma
from restoration.evaluation.features import FeatureNetwork
from restoration.evaluation.figures import (
    MOST_DECIBELS,
    PictureWithFeatures,
    RenderingMetrics,
    mean,
    rendering_metrics,
)
from restoration.evaluation.rendering import left_gray
from restoration.training.metrics import colorfulness

ASTRONAUT = np.ascontiguousarray(data.astronaut()[::3, ::3])


@pytest.fixture(scope="module")
def true(eye: FeatureNetwork) -> PictureWithFeatures:
    return PictureWithFeatures(ASTRONAUT, eye.look(ASTRONAUT))


def test_the_truth_is_as_near_as_can_be(true: PictureWithFeatures) -> None:
    found = rendering_metrics(true, true, 0.2)

    assert (found.psnr, found.ssim) == (MOST_DECIBELS, pytest.approx(1.0))
    assert (found.chroma_l1, found.ciede2000, found.feature_distance) == (0, 0, 0)
    assert found.colorfulness == pytest.approx(colorfulness(ASTRONAUT / 255), rel=1e-5)
    assert found.blotches is not None
    assert 0 < found.blotches < 0.5


def test_gray_is_off_in_everything_but_has_no_blotches(
    true: PictureWithFeatures, eye: FeatureNetwork
) -> None:
    gray = left_gray(luma(ASTRONAUT))

    found = rendering_metrics(PictureWithFeatures(gray, eye.look(gray)), true, 0.2)

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

    assert mean([one, two]) == RenderingMetrics(25.0, 0.6, 0.2, 6.0, 20.0, pytest.approx(0.3), 0.02)
    assert mean([one, dataclasses.replace(two, blotches=None)]).blotches is None
