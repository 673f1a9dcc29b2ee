"""Scanner blur and JPEG compression."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]


def soften(gray: Floats, sigma: float) -> Floats:
    """Blur a plane (H, W), float32, with a Gaussian of `sigma` pixels; the border is mirrored."""
    taps = blur_taps(sigma)
    return convolved(np.pad(gray, taps.size // 2, mode="symmetric"), taps)


def blur_taps(sigma: float) -> Floats:
    """Return the weights (N,) of a Gaussian of `sigma` pixels, N odd; they sum to 1."""
    reach = max(1, int(np.ceil(2.5 * sigma)))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(taps / taps.sum(), dtype=np.float32)


def convolved(plane: Floats, taps: Floats) -> Floats:
    """Convolve a plane (H, W) with symmetric taps (N,) along both axes -> (H - N + 1, W - N + 1)."""
    return _convolved_down(_convolved_down(plane, taps).T, taps).T


def compressed(gray: Floats, quality: int) -> Floats:
    """Return gray (H, W), float32 in [0, 1], after JPEG compression with a `quality` of 1 to 95."""
    buffer = io.BytesIO()
    Image.fromarray(np.rint(gray * 255.0).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer, formats=("JPEG",)) as picture:
        return np.asarray(picture, dtype=np.float32) / np.float32(255.0)


def _convolved_down(plane: Floats, taps: Floats) -> Floats:
    """Convolve a plane (H, W) with symmetric taps along its columns."""
    reach, height = taps.size // 2, plane.shape[0] - taps.size + 1
    total = plane[reach : reach + height] * taps[reach]
    pair = np.empty_like(total)
    for far in range(1, reach + 1):
        above, below = reach - far, reach + far
        np.add(plane[above : above + height], plane[below : below + height], out=pair)
        pair *= taps[below]
        total += pair
    return np.asarray(total, dtype=np.float32)
