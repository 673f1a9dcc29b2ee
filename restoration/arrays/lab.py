"""CIE L*a*b* (CIE 15:2018) of colors as they are shown."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from restoration.arrays.luma import Float

Floats: TypeAlias = npt.NDArray[np.floating[Any]]

# sRGB to CIE XYZ (IEC 61966-2-1), divided by the white point D65.
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO_WHITE = _TO_XYZ / _TO_XYZ.sum(axis=1, keepdims=True)


def lab(rgb: Floats) -> npt.NDArray[np.float64]:
    """Return CIE L*a*b* (D65) of sRGB (..., 3) in [0, 1], as float64 (..., 3)."""
    values = np.asarray(rgb, dtype=np.float64)
    light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    ratio = light @ _TO_WHITE.T
    root = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack((116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)), axis=-1)


def shown_rgb(luminance: Float, chroma: Float) -> Float:
    """Return the sRGB (..., 3) float32 in [0, 1] that a derivative shows for luminance and chroma.

    Luminance (...,) is in [0, 1], chroma (2, ...) are BT.601 Cb and Cr in [-0.5, 0.5]. Where the gamut does
    not hold the chroma it is scaled towards gray at constant luminance.
    """
    blue, red = chroma
    offset = np.stack((1.402 * red, -0.344136 * blue - 0.714136 * red, 1.772 * blue), axis=-1)
    y = luminance[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        headroom = np.where(offset > 0, (1.0 - y) / offset, np.where(offset < 0, -y / offset, np.inf))
    scale = np.clip(headroom.min(axis=-1, keepdims=True), 0.0, 1.0)
    return np.asarray(np.clip(y + scale * offset, 0.0, 1.0), dtype=np.float32)


def shown_chroma(luminance: Float, chroma: Float) -> npt.NDArray[np.float64]:
    """Return a* and b* (2, ...) float64 of the colors that `shown_rgb` returns."""
    return np.moveaxis(lab(shown_rgb(luminance, chroma))[..., 1:], -1, 0)
