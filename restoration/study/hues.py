"""Color metrics of the red, yellow, green and blue pixels of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.lab import lab
from restoration.study.preprocessing import Bytes
from restoration.training.metrics import ciede2000

HUES = {"red": (345.0, 50.0), "yellow": (75.0, 110.0), "green": (110.0, 200.0), "blue": (200.0, 320.0)}
"""Ranges of the CIELAB hue angle, degrees; orange and brown are between red and yellow."""
MIN_TRUE_CHROMA = 20.0
"""Minimum CIELAB chroma of a true pixel that has a hue."""
MIN_MADE_CHROMA = 8.0
"""Minimum CIELAB chroma of a generated pixel that has a hue."""


@dataclass(frozen=True, slots=True)
class HueFigures:
    """Metrics of the pixels of one true hue; None if there are none."""

    name: str
    share: float
    """Share of all pixels."""
    chroma_ratio: float | None
    """Mean CIELAB chroma of these pixels relative to the truth's."""
    right: float | None
    """Share of these pixels that have the same hue in the generated picture."""
    ciede2000: float | None


@dataclass(slots=True)
class HueTally:
    """Accumulates pictures."""

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(HUES), 5)))
    """For each hue: pixels, made chroma, true chroma, pixels of the right hue, color difference."""
    pixels: int = 0

    def add(self, made: Bytes, true: Bytes) -> None:
        """Add a generated and a true picture, sRGB (H, W, 3), uint8."""
        first, second = (lab(one[::2, ::2].astype(np.float32) / 255.0) for one in (made, true))
        made_hue, made_chroma = _polar(first)
        true_hue, true_chroma = _polar(second)
        difference = ciede2000(first, second)
        self.pixels += true_hue.size
        for place, name in enumerate(HUES):
            at = within(true_hue, name) & (true_chroma >= MIN_TRUE_CHROMA)
            right = within(made_hue, name) & (made_chroma >= MIN_MADE_CHROMA) & at
            self.sums[place] += (
                at.sum(),
                made_chroma[at].sum(),
                true_chroma[at].sum(),
                right.sum(),
                difference[at].sum(),
            )

    def result(self) -> tuple[HueFigures, ...]:
        """Return the metrics of each hue."""
        found = []
        for name, (count, made, true, right, difference) in zip(HUES, self.sums.tolist(), strict=True):
            share = count / max(1, self.pixels)
            if count:
                found.append(HueFigures(name, share, made / true, right / count, difference / count))
            else:
                found.append(HueFigures(name, share, None, None, None))
        return tuple(found)


def share_of(rgb: Bytes, names: Sequence[str]) -> float:
    """Return the share of pixels of a picture (H, W, 3), uint8, with one of these hues."""
    hue, chroma = _polar(lab(rgb[::2, ::2].astype(np.float32) / 255.0))
    named = np.any([within(hue, name) for name in names], axis=0)
    return float((named & (chroma >= MIN_TRUE_CHROMA)).mean())


def within(hue: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """Return whether hue angles, in degrees within [0, 360), are in the range of a name; any shape."""
    first, last = HUES[name]
    return (hue >= first) & (hue < last) if first < last else (hue >= first) | (hue < last)


def _polar(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    _, a, b = np.moveaxis(values, -1, 0)
    return np.degrees(np.arctan2(b, a)) % 360.0, np.hypot(a, b)
