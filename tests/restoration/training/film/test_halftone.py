"""Halftone prints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from restoration.training.film import STAGES, Film, Screen, develop, soften
from restoration.training.film.halftone import halftoned

spans = {name: st.floats(span.low, span.high) for name, span in STAGES["halftone"].ranges.items()}
screens = st.builds(Screen, angle=st.floats(0, 90), **spans)


@given(screens, st.floats(0, 1), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_a_flat_tone_keeps_its_mean(screen: Screen, tone: float, seed: int) -> None:
    flat = np.full((90, 120), tone, np.float32)

    dots = halftoned(flat, screen, np.random.default_rng(seed))

    assert dots.dtype == np.float32
    assert screen.ink - 1e-5 <= dots.min() <= dots.max() <= screen.paper + 1e-5
    # where the screen falls in step with the pixels, all cells look alike and the mean is least exact
    assert dots.mean() == pytest.approx(screen.ink + tone * (screen.paper - screen.ink), abs=0.06)


def test_a_photograph_keeps_its_local_tones() -> None:
    gray = develop(data.astronaut()[::2, ::2], Film(), np.random.default_rng(0))

    printed = halftoned(gray, Screen(3.0), np.random.default_rng(0))

    assert np.abs(printed - gray).mean() > 0.05
    assert np.abs(soften(printed, 5.0) - soften(gray, 5.0)).mean() < 0.02


@pytest.mark.parametrize(("angle", "period"), [(45.0, 4.0), (0.0, 4.0), (45.0, 3.0), (15.0, 4.0)])
def test_dots_lie_as_far_apart_and_as_turned_as_asked(angle: float, period: float) -> None:
    flat = np.full((256, 256), 0.5, np.float32)
    dots = halftoned(flat, Screen(period, angle, blur=0.0), np.random.default_rng(0))

    spectrum = np.abs(np.fft.rfft2(dots - dots.mean()))
    row, column = np.unravel_index(spectrum.argmax(), spectrum.shape)
    down = min(row, 256 - row) / 256
    across = column / 256

    assert np.hypot(down, across) == pytest.approx(1 / period, rel=0.04)
    turned = np.rad2deg(np.arctan2(down, across))
    assert min(abs(turned - angle), abs(90 - turned - angle)) < 2


def test_highlights_have_dark_dots_and_shadows_light_ones() -> None:
    light, dark = (
        halftoned(np.full((128, 128), tone, np.float32), Screen(8.0, blur=0.0), np.random.default_rng(0))
        for tone in (0.9, 0.1)
    )

    assert np.median(light) == 1.0
    assert light.min() < 0.3
    assert np.median(dark) == 0.0
    assert dark.max() > 0.7
