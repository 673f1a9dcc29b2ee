"""Characteristic curve and fading."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restoration.training.film.development import CharacteristicCurve, Fading, developed, faded
from restoration.training.film.emulsion import LIGHT_STEPS

RAMP = np.arange(0, LIGHT_STEPS + 1, 5, dtype=np.uint16)[None]

curves = st.builds(
    CharacteristicCurve, st.floats(0.7, 1.4), st.floats(0, 0.8), st.floats(-0.04, 0.04), st.floats(0.92, 1.06)
)


@given(curves)
@settings(max_examples=40, deadline=None)
def test_more_light_is_never_darker(curve: CharacteristicCurve) -> None:
    tones = developed(RAMP, curve)

    assert tones.dtype == np.float32
    assert (np.diff(tones[0]) >= 0).all()
    assert 0 <= tones.min() <= tones.max() <= 1


def test_a_neutral_curve_only_encodes() -> None:
    light = np.array([[0.0, 0.2140, 1.0]]) * LIGHT_STEPS

    tones = developed(light.astype(np.uint16), CharacteristicCurve())

    assert tones[0] == pytest.approx([0.0, 0.5, 1.0], abs=3e-4)


def test_gamma_bends_the_middle_and_leaves_the_ends() -> None:
    soft, hard = (
        developed(RAMP, CharacteristicCurve(gamma=0.7)),
        developed(RAMP, CharacteristicCurve(gamma=1.4)),
    )

    assert soft[0, 3000] > hard[0, 3000] + 0.1
    assert soft[0, [0, -1]] == pytest.approx([0, 1])
    assert hard[0, [0, -1]] == pytest.approx([0, 1])


def test_a_shoulder_steepens_the_middle_tones() -> None:
    middle = np.searchsorted(developed(RAMP, CharacteristicCurve())[0], [0.4, 0.6])

    bent = developed(RAMP, CharacteristicCurve(shoulder=0.8))[0, middle]

    assert bent[1] - bent[0] > 0.2 * 1.2


@given(st.floats(0, 0.22), st.floats(0.72, 1.0))
@settings(max_examples=20, deadline=None)
def test_a_faded_print_has_neither_black_nor_white(black: float, white: float) -> None:
    gray = faded(developed(RAMP, CharacteristicCurve()), Fading(black, white))

    assert gray.min() == pytest.approx(black, abs=1e-5)
    assert gray.max() == pytest.approx(white, abs=1e-5)
