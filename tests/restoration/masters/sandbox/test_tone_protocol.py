"""What a reading process tells of a tone curve is checked like the rest."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.arrays.tone_curve import ToneCurve
from restoration.masters.sandbox import tone_protocol
from restoration.masters.sandbox.protocol import ProtocolError
from restoration.masters.tone_profile import ToneProfile

RISING = np.linspace(0, 1, 65536).astype(np.float32)
LOOK = ToneProfile(ToneCurve("도트 게인 20 %", RISING**2), "ICC profile '도트 게인 20 %'", ("It is odd.",))
WORDS = {"curve": "a", "origin": "b", "noted": []}
json_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


def changed(place: int, value: float) -> np.ndarray:
    light = RISING.copy()
    light[place] = value
    return light


def test_a_look_comes_back_as_it_was() -> None:
    back = tone_protocol.look_of(tone_protocol.words(LOOK), tone_protocol.raw(LOOK))
    assert back.curve is not None
    assert LOOK.curve is not None
    assert np.array_equal(back.curve.light, LOOK.curve.light)
    assert (back.curve.name, back.origin, back.noted) == (LOOK.curve.name, LOOK.origin, LOOK.noted)
    assert (
        tone_protocol.look_of(tone_protocol.words(ToneProfile()), tone_protocol.raw(ToneProfile()))
        == ToneProfile()
    )


@pytest.mark.parametrize(
    "light",
    [
        changed(700, np.nan),
        changed(65535, np.inf),
        changed(0, -0.1),
        changed(65535, 1.01),
        changed(700, 0.9),
        RISING[:-1],
        RISING[::2],
        np.full(65536, 0.5),
        np.zeros(0),
    ],
)
def test_curves_that_cannot_be_are_refused(light: np.ndarray) -> None:
    with pytest.raises(ProtocolError):
        tone_protocol.look_of(WORDS, light.astype("<f4").tobytes())


def test_numbers_without_a_curve_are_refused() -> None:
    with pytest.raises(ProtocolError):
        tone_protocol.look_of(WORDS | {"curve": None}, RISING.tobytes())


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "x" * 1000])
@pytest.mark.parametrize("name", ["curve", "origin", "noted"])
def test_texts_that_a_console_obeys_are_refused(name: str, text: str) -> None:
    with pytest.raises(ProtocolError):
        tone_protocol.look_of(WORDS | {name: [text] if name == "noted" else text}, RISING.tobytes())


@given(name=st.sampled_from(sorted(WORDS)), value=json_values | st.lists(json_values))
def test_words_of_another_kind_are_refused_or_a_look(name: str, value: object) -> None:
    try:
        look = tone_protocol.look_of(WORDS | {name: value}, RISING.tobytes())
    except ProtocolError:
        return
    assert all(isinstance(text, str) for text in look.noted)
    assert look.origin is None or isinstance(look.origin, str)
