"""Vignetting and lens blur."""

import numpy as np
import pytest
from skimage import data

from restoration.training.film.emulsion import LIGHT_STEPS, exposure
from restoration.training.film.lens import through_lens


def test_a_vignette_takes_light_from_the_corners_only() -> None:
    white = np.full((65, 33), LIGHT_STEPS, dtype=np.uint16)

    light = through_lens(white, 0.3, 0.0) / LIGHT_STEPS

    assert light[32, 16] == pytest.approx(1.0, abs=1e-3)
    assert [light[0, 0], light[-1, 0], light[0, -1], light[-1, -1]] == pytest.approx([0.7] * 4, abs=1e-3)
    assert light[0, 16] == pytest.approx(0.85, abs=1e-3)


def detail(light: np.ndarray) -> float:
    return float(np.abs(np.diff(light.astype(float))).mean())


def test_blur_keeps_the_light_and_loses_detail() -> None:
    light = exposure(data.astronaut()[:96, :96], (0.25, 0.4, 0.35))

    blurred = through_lens(light, 0.0, 1.2)

    assert blurred.dtype == np.uint16
    assert blurred.mean() == pytest.approx(light.mean(), rel=0.02)
    assert detail(blurred) < 0.75 * detail(light)


def test_a_perfect_lens_passes_all() -> None:
    light = exposure(data.astronaut()[:32, :32], (0.25, 0.4, 0.35))

    assert np.array_equal(through_lens(light, 0.0, 0.0), light)
