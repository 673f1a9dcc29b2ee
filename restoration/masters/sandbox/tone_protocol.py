"""How a reading process tells the tone curve of a master: its words in a frame, its numbers behind them."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from restoration.arrays.tone_curve import STEPS, ToneCurve
from restoration.masters.sandbox.protocol import ProtocolError
from restoration.masters.tone_profile import ToneProfile

MAX_BYTES: Final = 4 * STEPS
_MOST_TEXT: Final = 500
_MOST_NOTES: Final = 8


def words(look: ToneProfile) -> dict[str, Any]:
    """Return a look, without the numbers of its curve, as JSON can hold it."""
    name = None if look.curve is None else look.curve.name
    return {"curve": name, "origin": look.origin, "noted": list(look.noted)}


def raw(look: ToneProfile) -> bytes:
    """Return the numbers of its curve, none for sRGB."""
    return b"" if look.curve is None else look.curve.light.astype("<f4").tobytes()


def look_of(told: object, numbers: bytes) -> ToneProfile:
    """Undo `words` and `raw`. Raises Garbled unless the texts are printable and the curve rises."""
    if not isinstance(told, Mapping) or set(told) != {"curve", "origin", "noted"}:
        raise ProtocolError("a look of another shape")
    name, origin, noted = told["curve"], told["origin"], told["noted"]
    if not isinstance(noted, list) or len(noted) > _MOST_NOTES or not all(map(_is_text, noted)):
        raise ProtocolError("notes that are none")
    if not all(text is None or _is_text(text) for text in (name, origin)):
        raise ProtocolError("a profile without a legible name")
    if name is None:
        if numbers:
            raise ProtocolError("numbers of no curve")
        return ToneProfile(None, origin, tuple(noted))
    light = np.frombuffer(numbers, "<f4").astype(np.float32) if len(numbers) == MAX_BYTES else None
    if light is None or not np.isfinite(light).all() or light[0] < 0 or light[-1] > 1:
        raise ProtocolError("a curve of another range")
    if np.any(np.diff(light) < 0) or light[0] == light[-1]:
        raise ProtocolError("a curve that does not rise")
    return ToneProfile(ToneCurve(name, light), origin, tuple(noted))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MOST_TEXT and value.isprintable()
