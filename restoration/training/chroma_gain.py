"""Chroma gain that gives the pictures of a trained generator the colorfulness that a recipe asks for.

A loss that averages over all plausible colors leaves the right ones pale. Training more vivid colors costs
more error than stretching the trained ones: measured in `docs/decisions/0011-training-for-color.md`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.lab import shown_rgb
from restoration.training.metrics import HeldOutPicture, Predict, colorfulness

MAX_GAIN = 2.0
_BISECTIONS = 10


def needed_gain(predict: Predict, against: Sequence[HeldOutPicture], asked: float) -> float:
    """Find the least gain in [1, 2] at which the mean colorfulness is the fraction `asked` of the truth's.

    The gain is that of the last layer before its tanh, as in `ChromaGenerator.intensify`. Found by bisection
    to a thousandth; 2 if even that is not enough.
    """
    chroma = [predict(one.luma[None])[0] for one in against]
    truth = float(np.mean([one.truth.colorfulness for one in against]))

    def reached(gain: float) -> bool:
        colors = [
            colorfulness(shown_rgb(one.luma, intensified(field, gain)))
            for one, field in zip(against, chroma, strict=True)
        ]
        return float(np.mean(colors)) >= asked * truth

    if reached(1.0):
        return 1.0
    low, high = 1.0, MAX_GAIN
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def intensified(chroma: NDArray[np.float32], gain: float) -> NDArray[np.float32]:
    """Return chroma, of any shape in [-0.5, 0.5], as if the last layer had a `gain` before its tanh."""
    inner = np.arctanh(np.clip(2.0 * chroma, -0.999999, 0.999999))
    return np.asarray(0.5 * np.tanh(gain * inner), dtype=np.float32)
