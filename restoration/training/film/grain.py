"""Film grain."""

from __future__ import annotations

import numpy as np

from restoration.training.film.development import Gray
from restoration.training.film.scanning import blur_taps, convolved

FINEST = 0.2
"""Pixels; finer grain is independent between pixels."""


def grained(gray: Gray, strength: float, size: float, rng: np.random.Generator) -> Gray:
    """Return gray (H, W), float32 in [0, 1], with grain of deviation `strength`, `size` pixels wide.

    The deviation is that in the middle tones, where half of the crystals are developed and grain is strongest
    (Selwyn 1935).
    """
    taps = blur_taps(size) if size > FINEST else np.ones(1, np.float32)
    margin = taps.size - 1
    noise = _noise(gray.shape[0] + margin, gray.shape[1] + margin, rng)
    if margin:
        noise = convolved(noise, taps)
    # the deviation that is left after blurring along both sides
    level = np.float32(strength / float(taps @ taps))
    middle = gray - gray * gray
    middle *= 2.4 * level
    middle += 0.4 * level
    noise *= middle
    noise += gray
    return np.clip(noise, 0.0, 1.0, out=noise)


def _noise(height: int, width: int, rng: np.random.Generator) -> Gray:
    """Return noise (H, W), float32, of mean 0 and deviation 1: sums of four random bytes, for speed."""
    draws = rng.integers(0, 2**64, -(-height * width // 2), dtype=np.uint64)
    bytes_ = draws.view(np.uint8).reshape(4, -1)[:, : height * width].reshape(4, height, width)
    total = np.add(bytes_[0], bytes_[1], dtype=np.uint16)
    total += bytes_[2]
    total += bytes_[3]
    noise: Gray = total.astype(np.float32)
    noise -= np.float32(510)
    noise *= np.float32(1 / np.sqrt((256**2 - 1) / 3))
    return noise
