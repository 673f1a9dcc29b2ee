"""White balance of training pictures, and lower sampling probabilities of warm ones.

Most collections of color pictures lean to yellow and red: paper yellows, dyes fade, lamps are warm. A
generator trained on them colors every scene a little brown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Minkowski norm of the estimated illuminant ("shades of gray", Finlayson & Trezzi 2004).
_NORM = 6
# Limits of the gain of each channel, in linear light.
_LEAST_GAIN, _MOST_GAIN = 0.8, 1.25
# A power approximates the curve of sRGB.
_GAMMA = 2.2
_LIGHT = (np.arange(256) / 255.0) ** _GAMMA
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
# Warmth is clipped to this range, so that a few blue pictures do not fill the batches.
_COOLEST, _WARMEST = -0.04, 0.2


def white_balanced(rgb: NDArray[np.uint8], part: float) -> NDArray[np.uint8]:
    """Remove `part` (0 to 1) of a warm cast from sRGB bytes (H, W, 3); the luminance of the light is kept.

    The illuminant is the sixth-power mean of each channel, which the brightest surfaces dominate. A cool cast
    is kept: it is mostly the sky.
    """
    light = np.maximum(np.mean(_LIGHT[rgb[::3, ::3]] ** _NORM, axis=(0, 1)) ** (1 / _NORM), 1e-4)
    if part <= 0 or light[2] >= light[0]:
        return rgb
    gains = np.clip((light.mean() / light) ** part, _LEAST_GAIN, _MOST_GAIN)
    gains *= (_LUMINANCE @ light) / (_LUMINANCE @ (gains * light))
    curves = np.clip(255.0 * (_LIGHT[:, None] * gains) ** (1 / _GAMMA) + 0.5, 0.0, 255.0).astype(np.uint8)
    return np.stack([curves[rgb[..., channel], channel] for channel in range(3)], axis=-1)


def warmth(chroma: NDArray[np.float32]) -> float:
    """Return the mean of Cr - Cb of chroma (2, H, W): positive if it leans to red and yellow."""
    return float((chroma[1] - chroma[0]).mean())


def cooler_odds(odds: NDArray[np.float64], warmths: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Divide the probabilities (N,) of pictures by e for each `step` of warmth; they sum to 1 again.

    A `step` of 0 changes nothing.
    """
    if step <= 0:
        return odds
    lowered = odds * np.exp(-np.clip(warmths, _COOLEST, _WARMEST) / step)
    return np.asarray(lowered / lowered.sum())
