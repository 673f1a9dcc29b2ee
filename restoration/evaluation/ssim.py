"""How much of the local structure of one picture is found in another: SSIM."""

import numpy as np
from numpy.typing import NDArray

LEAST_SIDE = 11
"""Side of the window, pixels: a picture must hold at least one."""

_SIGMA = 1.5
_LUMINANCE = (0.01 * 255) ** 2
_CONTRAST = (0.03 * 255) ** 2


def ssim(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Structural similarity of two pictures (H, W, C) of bytes, in [-1, 1]; 1 for equal pictures.

    Wang et al. 2004: a Gaussian window of 11 x 11 and sigma 1.5, K 0.01 and 0.03, averaged over all places
    where the window lies inside the picture, and over the channels. Raises ValueError for sides below 11
    pixels.
    """
    if min(first.shape[:2]) < LEAST_SIDE:
        raise ValueError(f"both sides must have {LEAST_SIDE} pixels, not {first.shape[:2]}")
    channels = [_of_plane(first[..., c], second[..., c]) for c in range(first.shape[2])]
    return float(np.mean(channels))


def _of_plane(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    x, y = first.astype(np.float64), second.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x = _blurred(x * x) - mean_x**2
    variance_y = _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _LUMINANCE) / (mean_x**2 + mean_y**2 + _LUMINANCE)
    structure = (2 * covariance + _CONTRAST) / (variance_x + variance_y + _CONTRAST)
    return float((luminance * structure).mean())


def _blurred(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average a plane (H, W) under the window -> (H - 10, W - 10)."""
    offsets = np.arange(LEAST_SIDE) - LEAST_SIDE // 2
    window = np.exp(-0.5 * (offsets / _SIGMA) ** 2)
    window /= window.sum()
    height, width = (side - LEAST_SIDE + 1 for side in plane.shape)
    rows = sum(weight * plane[i : i + height] for i, weight in enumerate(window))
    return np.asarray(sum(weight * rows[:, i : i + width] for i, weight in enumerate(window)))
