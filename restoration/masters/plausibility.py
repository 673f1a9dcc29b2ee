"""Plausibility of decoded pixels: noise instead of a picture is refused.

Damaged or mislabeled data often decode to noise without a complaint: compressed data behind a header that
calls them raw, samples cut at the wrong bit. In a picture, however grainy, a pixel resembles its neighbor. In
noise the correlation of neighbors is 0 within the error of the estimate, along rows and along columns, and
the samples are spread over the whole range.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from restoration.arrays.luma import Gray
from restoration.errors import ImplausiblePixels
from restoration.masters.facts import ScanFacts

_LEAST_SIDE = 64
"""Smaller pictures have too few pixels to judge."""
_LEAST_SPREAD = 0.2
"""Standard deviation in parts of the full range; uniformly distributed samples have .29."""
_UNCORRELATED = 0.05
_SAMPLES = 32_768
"""Samples of a strip that are measured; at least two pairs of rows."""


class NeighborCorrelation:
    """Correlation of neighbors, along rows and along columns, over a few rows of each strip of a master."""

    def __init__(self, facts: ScanFacts) -> None:
        self._measurable = facts.bit_depth >= 8 and min(facts.width, facts.height) >= _LEAST_SIDE
        self._sums = [np.zeros(6), np.zeros(6)]

    def add(self, samples: Gray) -> None:
        """Add the next strip (h, W, bands), uint8 or uint16."""
        if not self._measurable or samples.shape[0] < 2:
            return
        height, width = samples.shape[:2]
        pairs = min(height - 1, max(2, _SAMPLES // (2 * width)))
        # Rows from the whole strip: within a grainy sky alone, neighbors are hardly correlated.
        rows = np.linspace(0, height - 2, pairs).astype(np.intp)
        full = float(np.iinfo(samples.dtype).max)
        upper, lower = samples[rows, :, 0] / full, samples[rows + 1, :, 0] / full
        self._sums[0] += _sums(upper[:, :-1], upper[:, 1:])
        self._sums[1] += _sums(upper, lower)

    def require(self, path: Path) -> None:
        """Raise ImplausiblePixels for noise."""
        if not self._measurable or min(sums[0] for sums in self._sums) < _LEAST_SIDE**2:
            return
        (along, spread), (across, _) = (_correlation(sums) for sums in self._sums)
        if spread > _LEAST_SPREAD and max(abs(along), abs(across)) < _UNCORRELATED:
            raise ImplausiblePixels(
                reason="its pixels are noise: neighboring pixels are unrelated "
                f"(correlation {along:.2f} along rows, {across:.2f} along columns)",
                remedy="open it in another program; scan it again, or save it again in the right format",
                path=path,
            )


def _sums(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    x, y = first.ravel(), second.ravel()
    return np.array([x.size, x.sum(), y.sum(), x @ x, y @ y, x @ y])


def _correlation(sums: np.ndarray) -> tuple[float, float]:
    """Return the correlation, and the standard deviation of the first of each pair."""
    count, x, y, xx, yy, xy = sums
    spread = max(xx / count - (x / count) ** 2, 0.0), max(yy / count - (y / count) ** 2, 0.0)
    both = float(np.sqrt(spread[0] * spread[1]))
    return (float((xy / count - x * y / count**2) / both) if both else 1.0), float(np.sqrt(spread[0]))
