"""How strong the colors of pictures are: shares of pixels by the magnitude of their chroma."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from restoration.training.dataset import chroma_of

BIN = 1e-3
"""Width of a bin, in units in which the range of Cb and of Cr is 1."""
BINS = 800
"""No sRGB color has a chroma magnitude of 0.8 or more."""

EXTREME = 99.9
"""The percentile of the training pictures' chroma beyond which color counts as a blotch."""
SHOWN_WIDTH = 0.02
"""Width of a bin in tables and charts."""
SHOWN_BINS = 21
"""Bins in tables and charts; the last holds all that is stronger."""

Counts = NDArray[np.int64]
"""Pixels by chroma magnitude, (BINS,)."""


def no_pixels() -> Counts:
    """Return counts of no pixels."""
    return np.zeros(BINS, dtype=np.int64)


def magnitudes(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Chroma magnitude (H, W), the length of (Cb, Cr), of sRGB bytes (H, W, 3)."""
    return np.asarray(np.hypot(*chroma_of(rgb)), dtype=np.float32)


def counted(rgb: NDArray[np.uint8]) -> Counts:
    """Count the pixels of a picture (H, W, 3) by their chroma magnitude."""
    bins = np.minimum((magnitudes(rgb) / BIN).astype(np.intp), BINS - 1)
    return np.bincount(bins.ravel(), minlength=BINS).astype(np.int64)


def percentile(counts: Counts, percent: float) -> float:
    """Return the chroma magnitude that `percent` of the pixels do not exceed, to the upper edge of its bin.

    Raises ValueError if there are no pixels.
    """
    total = int(counts.sum())
    if total == 0:
        raise ValueError("there are no pixels")
    at = int(np.searchsorted(np.cumsum(counts), total * percent / 100.0))
    return round((min(at, BINS - 1) + 1) * BIN, 6)


def share_beyond(rgb: NDArray[np.uint8], threshold: float) -> float:
    """Return the share of pixels of a picture (H, W, 3) whose chroma magnitude exceeds `threshold`."""
    return float((magnitudes(rgb) > threshold).mean())


def shares(counts: Counts) -> tuple[float, ...]:
    """Return the shares of pixels in the coarser bins that are shown; zeros if there are no pixels."""
    coarse = round(SHOWN_WIDTH / BIN)
    cut = (SHOWN_BINS - 1) * coarse
    sums = [*counts[:cut].reshape(-1, coarse).sum(axis=1), counts[cut:].sum()]
    return tuple(float(one) / max(1, int(counts.sum())) for one in sums)
