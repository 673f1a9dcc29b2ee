"""SSIM: what scikit-image says, and what equal pictures have."""

import numpy as np
import pytest
from skimage import data
from skimage.metrics import structural_similarity

from restoration.evaluation.ssim import ssim

ASTRONAUT = data.astronaut()[::3, ::4]


def test_it_agrees_with_scikit_image() -> None:
    rng = np.random.default_rng(1)
    noisy = np.clip(ASTRONAUT + rng.normal(0, 25, ASTRONAUT.shape), 0, 255).astype(np.uint8)

    theirs = structural_similarity(
        ASTRONAUT, noisy, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )

    assert ssim(ASTRONAUT, noisy) == pytest.approx(theirs, abs=1e-9)
    assert theirs < 0.8


def test_equal_pictures_have_one_and_a_negative_has_less_than_nothing() -> None:
    assert ssim(ASTRONAUT, ASTRONAUT) == pytest.approx(1.0)
    assert ssim(ASTRONAUT, 255 - ASTRONAUT) < 0


def test_a_picture_must_hold_the_window() -> None:
    with pytest.raises(ValueError, match="11 pixels"):
        ssim(ASTRONAUT[:10], ASTRONAUT[:10])
