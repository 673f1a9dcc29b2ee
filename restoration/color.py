"""How chroma and the master's gray integers become RGB integers that give the master back.

The luma of an RGB pixel is, for both depths and in integers::

    L = (19595 R + 38470 G + 7471 B + 32768) >> 16

the BT.601 weights in 16-bit fixed point with rounding; for 8 bits that is Pillow's `convert("L")`.
The weights sum to 65536, so a neutral pixel has its own value as luma.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Gray: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16."""

Float: TypeAlias = npt.NDArray[np.float32]

_R, _G, _B = 19595, 38470, 7471
_KR, _KB = 0.299, 0.114
_KG = 1 - _KR - _KB
_AMBER = (-0.8, 0.6)
"""Direction of warmth in (Cb, Cr): between those of daylight at 5000 K (-.71, .71) and 9000 K (-.90, .43)."""
_TILT = 0.5
"""How far full warmth moves a color, in parts of its own chroma."""
_FEWEST_STEPS = ((1, (1,)), (2, (1,)), (0, (1,)), (2, (2, 3, 4)), (0, (2,)))
"""Channel and steps to try, green first: it moves the luma most, so mostly one step does."""


def luma(rgb: Gray) -> Gray:
    """Return the luma (...,) of RGB (..., 3), uint8 or uint16, in the same depth."""
    r, g, b = (rgb[..., i].astype(np.uint32) for i in range(3))
    value = (r * _R + g * _G + b * _B + 32768) >> 16  # at most 4,294,934,528: fits
    return value.astype(rgb.dtype)


def chroma(rgb: Float) -> Float:
    """Return Cb and Cr (2, ...) in [-0.5, 0.5] of RGB (..., 3) in [0, 1]."""
    r, g, b = (rgb[..., i] for i in range(3))
    y = _KR * r + _KG * g + _KB * b
    return np.stack(((b - y) / (2 * (1 - _KB)), (r - y) / (2 * (1 - _KR)))).astype(np.float32)


def adjusted(chroma: Float, strength: float, warmth: float) -> Float:
    """Return Cb and Cr (2, ...) with their strength (gain, 0 is gray) and warmth changed, not clipped.

    Warmth in [-1, 1] moves each color towards amber, or blue below 0, by up to half of its own chroma: amber
    grows and blue wanes, green and magenta turn, and neutral stays neutral, so nothing is washed in sepia.
    """
    stronger = chroma * np.float32(strength)
    if not warmth:
        return stronger
    amount = np.float32(_TILT * warmth) * np.hypot(*stronger)
    return np.asarray(stronger + np.stack([amount * np.float32(part) for part in _AMBER]), dtype=np.float32)


def recolor(gray: Gray, cb: Float, cr: Float) -> Gray:
    """Return RGB (..., 3) whose luma is `gray` (...,) exactly, in the depth of `gray` (uint8 or uint16).

    `cb` and `cr` (...,) are finite and lie in [-0.5, 0.5] of the whole range; where the gamut does not hold
    them they are scaled towards gray at constant luma, so the hue stays.
    """
    top = np.iinfo(gray.dtype).max
    y = gray.astype(np.float32)
    red = cr * np.float32(2 * (1 - _KR) * top)
    blue = cb * np.float32(2 * (1 - _KB) * top)
    green = (red * np.float32(-_KR / _KG)) + (blue * np.float32(-_KB / _KG))
    scale = _gamut_scale(y, red, green, blue, top)
    rgb = np.empty((*gray.shape, 3), gray.dtype)
    for i, difference in enumerate((red, green, blue)):
        np.multiply(difference, scale, out=difference)
        np.add(difference, y, out=difference)
        np.rint(difference, out=difference)
        np.clip(difference, 0, top, out=difference)
        rgb[..., i] = difference
    _settle(rgb.reshape(-1, 3), gray.reshape(-1))
    return rgb


def _gamut_scale(y: Float, red: Float, green: Float, blue: Float, top: int) -> Float:
    tiny = np.float32(1e-6)
    highest = np.maximum(np.maximum(red, green), np.maximum(blue, tiny))
    lowest = np.minimum(np.minimum(red, green), np.minimum(blue, -tiny))
    scale = np.minimum((top - y) / highest, -y / lowest)
    return np.minimum(scale, np.float32(1))


def _settle(rgb: Gray, gray: Gray) -> None:
    """Nudge the few pixels (N, 3) whose rounded luma is a step off `gray` (N,), in place."""
    open_ = np.flatnonzero(luma(rgb) != gray)
    top = np.iinfo(rgb.dtype).max
    for channel, sizes in _FEWEST_STEPS:
        for size in sizes:
            if not open_.size:
                return
            pixels, wanted = rgb[open_].astype(np.int64), gray[open_]
            now = luma(rgb[open_]).astype(np.int64)
            pixels[:, channel] += size * np.sign(wanted.astype(np.int64) - now)
            inside = (pixels[:, channel] >= 0) & (pixels[:, channel] <= top)
            tried = np.where(inside[:, None], pixels, rgb[open_]).astype(rgb.dtype)
            right = luma(tried) == wanted
            rgb[open_[right]] = tried[right]
            open_ = open_[~right]
    rgb[open_] = gray[open_][:, None]  # where no step fits, gray is exact
