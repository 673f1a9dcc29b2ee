"""Histograms of chroma magnitude."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from restoration.training.dataset import chroma_of

BIN = 1e-3
"""Width of a bin; the full range of Cb and of Cr is 1."""
BINS = 800
"""No sRGB color has a chroma magnitude of 0.8 or more."""

BLOTCH_PERCENTILE = 99.9
"""Percentile of the training pictures' chroma beyond which color is a blotch."""
SHOWN_WIDTH = 0.02
"""Width of a displayed bin."""
SHOWN_BINS = 21
"""Number of displayed bins; the last one has all pixels of stronger chroma."""

Histogram = NDArray[np.int64]
"""Number of pixels by chroma magnitude (BINS,)."""


def empty_histogram() -> Histogram:
    """Return a histogram without pixels (BINS,)."""
    return np.zeros(BINS, dtype=np.int64)


def chroma_magnitudes(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the length (H, W), float32, of (Cb, Cr) of an sRGB picture (H, W, 3), uint8."""
    return np.asarray(np.hypot(*chroma_of(rgb)), dtype=np.float32)


def chroma_histogram(rgb: NDArray[np.uint8]) -> Histogram:
    """Return the histogram (BINS,) of an sRGB picture (H, W, 3), uint8."""
    bins = np.minimum((chroma_magnitudes(rgb) / BIN).astype(np.intp), BINS - 1)
    return np.bincount(bins.ravel(), minlength=BINS).astype(np.int64)


def percentile(histogram: Histogram, percent: float) -> float:
    """Return the chroma magnitude, rounded up to a bin, that `percent` of the pixels do not exceed.

    Raises ValueError if there are no pixels.
    """
    total = int(histogram.sum())
    if total == 0:
        raise ValueError("there are no pixels")
    at = int(np.searchsorted(np.cumsum(histogram), total * percent / 100.0))
    return round((min(at, BINS - 1) + 1) * BIN, 6)


def share_beyond(rgb: NDArray[np.uint8], threshold: float) -> float:
    """Return the share of pixels of an sRGB picture (H, W, 3), uint8, with more chroma than `threshold`."""
    return float((chroma_magnitudes(rgb) > threshold).mean())


def displayed_shares(histogram: Histogram) -> tuple[float, ...]:
    """Return the shares of pixels in the displayed bins; zeros if there are no pixels."""
    coarse = round(SHOWN_WIDTH / BIN)
    cut = (SHOWN_BINS - 1) * coarse
    sums = [*histogram[:cut].reshape(-1, coarse).sum(axis=1), histogram[cut:].sum()]
    return tuple(float(one) / max(1, int(histogram.sum())) for one in sums)
