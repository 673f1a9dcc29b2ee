"""How light the grays of a picture are shown: the tone curve of its encoding.

A gray integer has no lightness of its own. The profile of its file tells it, and where there is none sRGB is
meant. What is computed for the eye (the network's copy, the guide of the enlargement, a contact sheet) sees
sRGB; the integers of master and derivative stay in the encoding of the master.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from restoration.arrays.luma import Float, Gray

STEPS: Final = 65_536
"""Places at which a curve is known: the integers of 16 bits. Those of 8 bits are every 257th of them."""

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class ToneCurve:
    """The curve of an encoding that is not that of sRGB."""

    name: str
    """Of the profile that it was taken from; empty if that has none."""
    light: Float
    """Relative luminance (`STEPS`,) of neutral samples, in [0, 1] and never falling; the white of the
    profile is 1."""

    def shown(self, dtype: type[Any]) -> Gray:
        """Return what sRGB would encode (uint16) for each integer of a depth, uint8 or uint16."""
        values: Gray = np.rint(linear_to_srgb(self.of(dtype).astype(np.float64)) * 65535).astype(np.uint16)
        return values

    def of(self, dtype: type[Any]) -> Float:
        """Return the luminance of each integer of a depth, uint8 or uint16."""
        return self.light[:: 257 if dtype == np.uint8 else 1]


def srgb_to_linear(values: Floats) -> Floats:
    """Return the luminance in [0, 1] of sRGB values in [0, 1] (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: Floats) -> Floats:
    """Return the sRGB values in [0, 1] of luminance in [0, 1]."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def lightness(light: Floats) -> Floats:
    """Return CIE L* of relative luminance."""
    return np.where(light > (6 / 29) ** 3, 116 * np.cbrt(light) - 16, light * (29 / 3) ** 3)
