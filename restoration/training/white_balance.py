"""How the warm cast of old prints, slides and lamp light is kept from becoming a habit of the generator.

Most collections of color pictures lean to yellow and red: paper yellows, dyes fade, lamps are warm. A
generator that learns from them paints every scene a little brown. Each picture's own cast is lessened, and
those that stay warm are drawn less often.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Minkowski norm of the light's estimate ("shades of gray", Finlayson & Trezzi 2004).
_NORM = 6
# Whatever the estimate says, no channel's light is changed by more.
_LEAST_GAIN, _MOST_GAIN = 0.8, 1.25
# A plain power stands for sRGB's curve: gains of light become gains of bytes.
_GAMMA = 2.2
_LIGHT = (np.arange(256) / 255.0) ** _GAMMA
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
# Warmth beyond which the odds no longer change: a few blue pictures shall not fill the batches.
_COOLEST, _WARMEST = -0.04, 0.2


def white_balanced(rgb: NDArray[np.uint8], part: float) -> NDArray[np.uint8]:
    """Take `part` (0 to 1) of a warm cast from sRGB bytes (H, W, 3); the luminance of the light is kept.

    The light's color is the sixth-power mean of each channel, which the brightest surfaces dominate. Cool
    light is left alone: it is mostly the sky.
    """
    light = np.maximum(np.mean(_LIGHT[rgb[::3, ::3]] ** _NORM, axis=(0, 1)) ** (1 / _NORM), 1e-4)
    if part <= 0 or light[2] >= light[0]:
        return rgb
    gains = np.clip((light.mean() / light) ** part, _LEAST_GAIN, _MOST_GAIN)
    gains *= (_LUMINANCE @ light) / (_LUMINANCE @ (gains * light))
    curves = np.clip(255.0 * (_LIGHT[:, None] * gains) ** (1 / _GAMMA) + 0.5, 0.0, 255.0).astype(np.uint8)
    return np.stack([curves[rgb[..., channel], channel] for channel in range(3)], axis=-1)


def warmth(chroma: NDArray[np.float32]) -> float:
    """Mean of Cr - Cb of a picture's chroma (2, H, W): positive if it leans to red and yellow."""
    return float((chroma[1] - chroma[0]).mean())


def cooler_odds(odds: NDArray[np.float64], warmths: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Lessen the odds (N,) of warm pictures by the factor e for each `step` of warmth; they sum to 1 again.

    A `step` of 0 leaves them alone.
    """
    if step <= 0:
        return odds
    lessened = odds * np.exp(-np.clip(warmths, _COOLEST, _WARMEST) / step)
    return np.asarray(lessened / lessened.sum())
