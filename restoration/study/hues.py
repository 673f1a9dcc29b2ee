"""What becomes of the reds, the yellows, the greens and the blues of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.lab import lab
from restoration.study.preprocessing import Bytes
from restoration.training.metrics import ciede2000

HUES = {"red": (345.0, 50.0), "yellow": (75.0, 110.0), "green": (110.0, 200.0), "blue": (200.0, 320.0)}
"""From and to which CIELAB hue angle a color has its name, degrees; orange and brown lie between."""
LEAST_CHROMA = 20.0
"""CIELAB chroma from which on a true pixel has a hue worth the name."""
SEEN_CHROMA = 8.0
"""CIELAB chroma from which on a made pixel has a hue at all."""


@dataclass(frozen=True, slots=True)
class HueFigures:
    """What became of the pixels of one hue; the ratios are None if there are none."""

    name: str
    share: float
    """Of all pixels."""
    chroma_ratio: float | None
    """Mean CIELAB chroma in parts of the truth's, on these pixels."""
    right: float | None
    """Share of these pixels that have this hue in the made picture too."""
    ciede2000: float | None


@dataclass(slots=True)
class HueTally:
    """Takes in pictures one by one."""

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((len(HUES), 5)))
    """For each hue: pixels, made chroma, true chroma, pixels of the right hue, color difference."""
    pixels: int = 0

    def add(self, made: Bytes, true: Bytes) -> None:
        """Take in a made and a true picture (H, W, 3)."""
        first, second = (lab(one[::2, ::2].astype(np.float32) / 255.0) for one in (made, true))
        made_hue, made_chroma = _polar(first)
        true_hue, true_chroma = _polar(second)
        difference = ciede2000(first, second)
        self.pixels += true_hue.size
        for place, name in enumerate(HUES):
            at = within(true_hue, name) & (true_chroma >= LEAST_CHROMA)
            right = within(made_hue, name) & (made_chroma >= SEEN_CHROMA) & at
            self.sums[place] += (
                at.sum(),
                made_chroma[at].sum(),
                true_chroma[at].sum(),
                right.sum(),
                difference[at].sum(),
            )

    def result(self) -> tuple[HueFigures, ...]:
        """Return the figures of each hue."""
        found = []
        for name, (count, made, true, right, difference) in zip(HUES, self.sums.tolist(), strict=True):
            share = count / max(1, self.pixels)
            if count:
                found.append(HueFigures(name, share, made / true, right / count, difference / count))
            else:
                found.append(HueFigures(name, share, None, None, None))
        return tuple(found)


def share_of(rgb: Bytes, names: Sequence[str]) -> float:
    """Return which share of the pixels of a picture (H, W, 3) has one of these hues."""
    hue, chroma = _polar(lab(rgb[::2, ::2].astype(np.float32) / 255.0))
    named = np.any([within(hue, name) for name in names], axis=0)
    return float((named & (chroma >= LEAST_CHROMA)).mean())


def within(hue: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """Tell which hue angles, in degrees within [0, 360), are called by this name."""
    first, last = HUES[name]
    return (hue >= first) & (hue < last) if first < last else (hue >= first) | (hue < last)


def _polar(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    _, a, b = np.moveaxis(values, -1, 0)
    return np.degrees(np.arctan2(b, a)) % 360.0, np.hypot(a, b)
