"""Film grain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restoration.training.film.grain import grained


def flat(tone: float, side: int = 128) -> np.ndarray:
    return np.full((side, side), tone, dtype=np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def test_grain_is_strongest_in_the_middle_tones() -> None:
    middle, dark, light = (grained(flat(tone), 0.03, 0.0, rng()).std() for tone in (0.5, 0.08, 0.92))

    assert middle > 1.5 * dark
    assert middle > 1.5 * light


@given(st.floats(0.0, 0.9), st.floats(0.005, 0.035))
@settings(max_examples=20, deadline=None)
def test_grain_has_the_requested_strength_and_keeps_the_tone(size: float, strength: float) -> None:
    gray = grained(flat(0.5), strength, size, rng())

    assert gray.std() == pytest.approx(strength, rel=0.1)
    assert gray.mean() == pytest.approx(0.5, abs=0.1 * strength)


def test_coarse_grain_is_wider_than_fine_grain() -> None:
    def neighbors(size: float) -> float:
        gray = grained(flat(0.5), 0.03, size, rng())
        return float(np.corrcoef(gray[:, 1:].ravel(), gray[:, :-1].ravel())[0, 1])

    assert neighbors(0.9) > 0.5
    assert abs(neighbors(0.0)) < 0.05


def test_grain_lies_evenly_around_the_tone() -> None:
    noise = (grained(flat(0.5, 256), 0.03, 0.0, rng()) - 0.5) / 0.03

    assert abs((noise**3).mean()) < 0.05
    assert (noise**4).mean() == pytest.approx(3.0, abs=0.4)
