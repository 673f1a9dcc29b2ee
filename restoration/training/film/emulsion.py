"""Spectral response of emulsions, and the exposure of film.

Light is linear, in integers up to `LIGHT_STEPS`; the exposure is set so that a neutral scene keeps its tones
on every emulsion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Response = tuple[float, float, float]
Light = NDArray[np.uint16]
"""Linear light (H, W), 0 to LIGHT_STEPS."""

LIGHT_STEPS = 65535

DAYLIGHT: Response = (1.0, 1.0, 1.0)
# CIE illuminant A (x .4476, y .4074) in linear sRGB, whose white is daylight (IEC 61966-2-1).
TUNGSTEN: Response = (1.845, 0.826, 0.233)

# Concentration of the Dirichlet jitter of a response: about 6 % deviation on a weight of one half.
RESPONSE_CONCENTRATION = 60.0

_BYTES = np.arange(256) / 255.0
_LINEAR = np.where(_BYTES <= 0.04045, _BYTES / 12.92, ((_BYTES + 0.055) / 1.055) ** 2.4)


@dataclass(frozen=True, slots=True)
class Emulsion:
    """A kind of film: its sensitivity to red, green and blue, its illuminant, and its share of the films."""

    name: str
    sensitivity: Response
    share: float
    light: Response = DAYLIGHT

    @property
    def response(self) -> Response:
        """Weights of linear red, green and blue of the scene; they sum to 1."""
        red, green, blue = (s * light for s, light in zip(self.sensitivity, self.light, strict=True))
        total = red + green + blue
        return red / total, green / total, blue / total


_PANCHROMATIC: Response = (0.25, 0.40, 0.35)

# The ranges of sensitization in three coarse bands. Collodion, plates and early roll film see blue;
# orthochromatic film (from the 1880s) sees green too; panchromatic film (from the 1920s, usual by the 1950s)
# sees all. The last is today's luminance, for copies and gray scans of later material.
EMULSIONS = (
    Emulsion("blue-sensitive", (0.02, 0.13, 0.85), 0.06),
    Emulsion("orthochromatic", (0.05, 0.55, 0.40), 0.14),
    Emulsion("panchromatic", _PANCHROMATIC, 0.30),
    Emulsion("panchromatic under tungsten", _PANCHROMATIC, 0.10, TUNGSTEN),
    Emulsion("luminance", (0.2126, 0.7152, 0.0722), 0.40),
)

_UP_TO = np.cumsum([emulsion.share for emulsion in EMULSIONS])


def choose_response(rng: np.random.Generator) -> Response:
    """Draw an emulsion by its share and a response close to its own; the weights sum to 1."""
    chosen = min(int(np.searchsorted(_UP_TO, rng.random())), len(EMULSIONS) - 1)
    concentration = [weight * RESPONSE_CONCENTRATION + 0.05 for weight in EMULSIONS[chosen].response]
    red, green, blue = rng.dirichlet(concentration)
    return float(red), float(green), float(blue)


def exposure(rgb: NDArray[np.uint8], response: Response) -> Light:
    """Return the light (H, W), uint16, that an emulsion records of an sRGB picture (H, W, 3), uint8."""
    # Rounded down, so that the sum never exceeds LIGHT_STEPS.
    red, green, blue = (
        (_LINEAR * (weight / sum(response) * LIGHT_STEPS)).astype(np.uint16) for weight in response
    )
    light = red.take(rgb[..., 0])
    light += green.take(rgb[..., 1])
    light += blue.take(rgb[..., 2])
    return light
