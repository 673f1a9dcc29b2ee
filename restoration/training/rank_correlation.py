"""Spearman's rank correlation.

`scipy.stats.spearmanr` gives the same to the last bit, but takes five times as long, warns of constant
samples and needs a second to import.
"""

import numpy as np
from numpy.typing import NDArray

_ONE_IN = 8


def spearman(first: NDArray[np.floating], second: NDArray[np.floating]) -> float | None:
    """Return the rank correlation of two samples (N,), in [-1, 1]; ties share the mean of their ranks.

    None for fewer than two values, or if a sample is constant. Raises ValueError for samples of unequal
    length.
    """
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"two samples of equal length, not {first.shape} and {second.shape}")
    if first.size < 2:
        return None
    a, b = (_ranks(sample) - (first.size - 1) / 2 for sample in (first, second))
    spread = float(np.sqrt(np.sum(a * a) * np.sum(b * b)))
    return float(np.sum(a * b)) / spread if spread > 0 else None


def _ranks(sample: NDArray[np.floating]) -> NDArray[np.float64]:
    _, place, count = np.unique(sample, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return np.asarray((ends - (count + 1) / 2)[place], dtype=np.float64)


def sampled_pixels(pixels: int, seed: int) -> NDArray[np.intp]:
    """Return the indices of one in eight of `pixels` pixels, at least one, drawn at random."""
    return np.random.default_rng(seed).permutation(pixels)[: max(1, pixels // _ONE_IN)]
