"""The overview that a reader process sends is checked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.arrays.tone_curve import ToneCurve
from restoration.masters.decoder_agreement import ReferenceDigests
from restoration.masters.sandbox.overview import (
    decode_reference,
    decode_tone_profile,
    encode_curve,
    encode_tone_profile,
)
from restoration.masters.sandbox.protocol import ProtocolError
from restoration.masters.tone_profile import ToneProfile

RISING = np.linspace(0, 1, 65536).astype(np.float32)
PROFILE = ToneProfile(ToneCurve("도트 게인 20 %", RISING**2), "ICC profile '도트 게인 20 %'", ("It is odd.",))
MESSAGE = {"curve": "a", "origin": "b", "noted": []}
json_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


def changed(index: int, value: float) -> np.ndarray:
    light = RISING.copy()
    light[index] = value
    return light


def test_a_tone_profile_comes_back_unchanged() -> None:
    back = decode_tone_profile(encode_tone_profile(PROFILE), encode_curve(PROFILE))
    assert back.curve is not None
    assert PROFILE.curve is not None
    assert np.array_equal(back.curve.light, PROFILE.curve.light)
    assert (back.curve.name, back.origin, back.noted) == (PROFILE.curve.name, PROFILE.origin, PROFILE.noted)
    assert (
        decode_tone_profile(encode_tone_profile(ToneProfile()), encode_curve(ToneProfile())) == ToneProfile()
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
def test_invalid_curves_are_refused(light: np.ndarray) -> None:
    with pytest.raises(ProtocolError):
        decode_tone_profile(MESSAGE, light.astype("<f4").tobytes())


def test_values_without_a_curve_are_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_tone_profile(MESSAGE | {"curve": None}, RISING.tobytes())


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31m", "x" * 1000])
@pytest.mark.parametrize("name", ["curve", "origin", "noted"])
def test_texts_with_control_characters_are_refused(name: str, text: str) -> None:
    with pytest.raises(ProtocolError):
        decode_tone_profile(MESSAGE | {name: [text] if name == "noted" else text}, RISING.tobytes())


@given(name=st.sampled_from(sorted(MESSAGE)), value=json_values | st.lists(json_values))
def test_any_message_is_refused_or_a_tone_profile(name: str, value: object) -> None:
    try:
        profile = decode_tone_profile(MESSAGE | {name: value}, RISING.tobytes())
    except ProtocolError:
        return
    assert all(isinstance(text, str) for text in profile.noted)
    assert profile.origin is None or isinstance(profile.origin, str)


GRAY, ALPHA = "a1" * 32, "0f" * 32
REFERENCE = {"decoders": 2, "gray_sha256": GRAY, "alpha_sha256": ALPHA}


@pytest.mark.parametrize("decoders", [1, 2])
def test_reference_digests_come_back_unchanged(decoders: int) -> None:
    expected = ReferenceDigests(decoders, GRAY, ALPHA)
    assert decode_reference(REFERENCE | {"decoders": decoders}) == expected


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        REFERENCE | {"decoders": 3},
        REFERENCE | {"decoders": "2"},
        REFERENCE | {"gray_sha256": GRAY[1:]},
        REFERENCE | {"gray_sha256": GRAY.upper()},
        REFERENCE | {"alpha_sha256": None},
        REFERENCE | {"more": 1},
    ],
)
def test_malformed_reference_digests_are_refused(value: object) -> None:
    with pytest.raises(ProtocolError):
        decode_reference(value)
