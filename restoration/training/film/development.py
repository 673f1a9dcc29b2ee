"""Development of exposed film to tones by its characteristic curve, and fading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restoration.training.film.emulsion import LIGHT_STEPS, Light

Gray = NDArray[np.float32]

_CODES = 4095
_TONES = np.linspace(0.0, 1.0, _CODES + 1, dtype=np.float32)
_LIGHT = np.linspace(0.0, 1.0, LIGHT_STEPS + 1)
_ENCODED = np.where(_LIGHT <= 0.0031308, 12.92 * _LIGHT, 1.055 * _LIGHT ** (1 / 2.4) - 0.055)
_CODE_OF_LIGHT = np.rint(_ENCODED * _CODES).astype(np.uint16)
del _LIGHT, _ENCODED


@dataclass(frozen=True, slots=True)
class CharacteristicCurve:
    """Characteristic curve of film and paper on sRGB-encoded tones, neutral by default (Hurter & Driffield).

    `gamma` is an exponent (above 1 darkens), `shoulder` (0 to 1) adds an S curve; `darkest` and `lightest`
    are the tones of no light and full light; tones are clipped to [0, 1].
    """

    gamma: float = 1.0
    shoulder: float = 0.0
    darkest: float = 0.0
    lightest: float = 1.0


NEUTRAL = CharacteristicCurve()


@dataclass(frozen=True, slots=True)
class Fading:
    """The tones to which black and white have faded."""

    black: float
    white: float


def developed(light: Light, curve: CharacteristicCurve) -> Gray:
    """Return gray (H, W), float32 in [0, 1], sRGB-encoded, of light (H, W); exact to 1/8 of an 8-bit step."""
    tone = _TONES if curve.gamma == 1.0 else _TONES ** np.float32(curve.gamma)
    if curve.shoulder:
        tone = tone + np.float32(curve.shoulder) * tone * (3 * tone - 2 * tone * tone - 1)
    if (curve.darkest, curve.lightest) != (0.0, 1.0):
        tone = np.float32(curve.darkest) + tone * np.float32(curve.lightest - curve.darkest)
        tone = np.clip(tone, 0.0, 1.0)
    return np.asarray(tone.take(_CODE_OF_LIGHT.take(light)), dtype=np.float32)


def faded(gray: Gray, fading: Fading) -> Gray:
    """Return gray (H, W), float32 in [0, 1], compressed between the faded black and white."""
    gray = gray * np.float32(fading.white - fading.black)
    gray += np.float32(fading.black)
    return gray
