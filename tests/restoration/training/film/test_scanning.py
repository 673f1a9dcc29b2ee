"""Scanner blur and JPEG compression."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from skimage import data

from restoration.training.film import Film, develop, soften
from restoration.training.film.scanning import compressed

GRAY = develop(data.astronaut()[:128, :128], Film(), np.random.default_rng(0))


@given(arrays(np.float32, (17, 23), elements=st.floats(0, 1, width=32)), st.floats(0.3, 2.0))
@settings(max_examples=20, deadline=None)
def test_blur_invents_no_tone(gray: np.ndarray, sigma: float) -> None:
    soft = soften(gray, sigma)

    assert soft.shape == gray.shape
    assert soft.min() >= gray.min() - 1e-5
    assert soft.max() <= gray.max() + 1e-5


@pytest.mark.parametrize("sigma", [0.4, 1.0, 1.7])
def test_blur_is_a_gaussian(sigma: float) -> None:
    assert np.abs(soften(GRAY, sigma) - gaussian_filter(GRAY, sigma, mode="reflect")).max() < 0.03


def test_compression_error_is_small_and_grows_at_low_quality() -> None:
    fine, coarse = (np.abs(compressed(GRAY, quality) - GRAY).mean() for quality in (95, 45))

    assert 0 < fine < coarse < 0.03
