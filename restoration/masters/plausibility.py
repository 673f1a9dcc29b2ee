"""Whether decoded pixels can be a picture at all.

Damaged or mislabeled data often decode without a complaint, to noise: compressed data behind a header that
calls them raw, samples cut at the wrong bit. In a picture, however grainy, a pixel resembles its neighbor;
in noise the correlation of neighbors is 0 within the error of the estimate, along rows and along columns, and
the samples lie anywhere between black and white.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from restoration.arrays.luma import Gray
from restoration.errors import ImplausiblePixels
from restoration.masters.facts import ScanFacts

_LEAST_SIDE = 64
"""Smaller pictures tell too little."""
_LEAST_SPREAD = 0.2
"""Standard deviation in parts of the full range; samples that lie anywhere have .29."""
_UNRELATED = 0.05
_SAMPLES = 32_768
"""As many of a strip are looked at, two pairs of rows at least."""


class NeighborCorrelation:
    """Correlation of neighbors, along rows and along columns, over a few rows of each strip of a master."""

    def __init__(self, facts: ScanFacts) -> None:
        self._telling = facts.bit_depth >= 8 and min(facts.width, facts.height) >= _LEAST_SIDE
        self._pairs = [np.zeros(6), np.zeros(6)]

    def add(self, samples: Gray) -> None:
        """Take in the next strip (h, W, bands), unsigned integers."""
        if not self._telling or samples.shape[0] < 2:
            return
        height, width = samples.shape[:2]
        pairs = min(height - 1, max(2, _SAMPLES // (2 * width)))
        # All over the strip: in a grainy sky alone neighbors have little in common.
        rows = np.linspace(0, height - 2, pairs).astype(np.intp)
        full = float(np.iinfo(samples.dtype).max)
        upper, lower = samples[rows, :, 0] / full, samples[rows + 1, :, 0] / full
        self._pairs[0] += _sums(upper[:, :-1], upper[:, 1:])
        self._pairs[1] += _sums(upper, lower)

    def require(self, path: Path) -> None:
        """Raise ImplausiblePixels for noise."""
        if not self._telling or min(pairs[0] for pairs in self._pairs) < _LEAST_SIDE**2:
            return
        (along, spread), (across, _) = (_correlation(pairs) for pairs in self._pairs)
        if spread > _LEAST_SPREAD and max(abs(along), abs(across)) < _UNRELATED:
            raise ImplausiblePixels(
                reason="its pixels are noise: neighbors have nothing in common "
                f"(correlation {along:.2f} along rows, {across:.2f} along columns)",
                remedy="look at it in another program; scan it again, or save it anew in the right format",
                path=path,
            )


def _sums(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    x, y = first.ravel(), second.ravel()
    return np.array([x.size, x.sum(), y.sum(), x @ x, y @ y, x @ y])


def _correlation(sums: np.ndarray) -> tuple[float, float]:
    """Return the correlation, and the standard deviation of the first of the pair."""
    count, x, y, xx, yy, xy = sums
    spread = max(xx / count - (x / count) ** 2, 0.0), max(yy / count - (y / count) ** 2, 0.0)
    both = float(np.sqrt(spread[0] * spread[1]))
    return (float((xy / count - x * y / count**2) / both) if both else 1.0), float(np.sqrt(spread[0]))
