"""Tone curves: the luminance that the gray integers of a master encode.

The ICC profile of the file defines it; without one it is sRGB. What is computed for the eye (the luminance
for colorization, a contact sheet) is converted to sRGB; the integers of master and derivative keep the
encoding of the master.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from restoration.arrays.luma import Float, Gray

STEPS: Final = 65_536
"""Number of samples of a curve: the integers of 16 bits. Those of 8 bits are every 257th of them."""

Floats: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class ToneCurve:
    """The tone curve of an encoding other than sRGB."""

    name: str
    """Description of its profile; empty if that has none."""
    light: Float
    """Relative luminance (`STEPS`,) of neutral samples, in [0, 1] and never falling; the white of the
    profile is 1."""

    def shown(self, dtype: type[Any]) -> Gray:
        """Return the sRGB value (n,) uint16 of each integer of a dtype, uint8 or uint16."""
        values: Gray = np.rint(linear_to_srgb(self.of(dtype).astype(np.float64)) * 65535).astype(np.uint16)
        return values

    def of(self, dtype: type[Any]) -> Float:
        """Return the relative luminance (n,) float32 of each integer of a dtype, uint8 or uint16."""
        return self.light[:: 257 if dtype == np.uint8 else 1]


def srgb_to_linear(values: Floats) -> Floats:
    """Return the relative luminance in [0, 1] of sRGB values (...,) in [0, 1] (IEC 61966-2-1)."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: Floats) -> Floats:
    """Return the sRGB values in [0, 1] of relative luminance (...,) in [0, 1] (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def lightness(light: Floats) -> Floats:
    """Return CIE L* (CIE 15:2018), in [0, 100], of relative luminance (...,) in [0, 1]."""
    return np.where(light > (6 / 29) ** 3, 116 * np.cbrt(light) - 16, light * (29 / 3) ** 3)
