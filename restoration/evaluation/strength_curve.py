"""Chroma error and colorfulness as functions of the strength, from one prediction per picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.luma import Float
from restoration.evaluation.metrics import chroma_l1
from restoration.evaluation.options import STRENGTHS
from restoration.evaluation.pictures import HISTORICAL, HISTORICAL_SETS, OVERALL, ReferencePicture
from restoration.evaluation.rendering import colored
from restoration.training.metrics import colorfulness


@dataclass(frozen=True, slots=True)
class StrengthPoint:
    """Error and colorfulness of a group of pictures at one strength."""

    group: str
    strength: float
    chroma_ratio: float
    colorfulness_ratio: float


class StrengthTally:
    """Accumulates predictions."""

    def __init__(self) -> None:
        self._sets: list[str] = []
        self._figures: list[NDArray[np.float64]] = []
        self._beside: list[tuple[float, float]] = []

    def add(
        self, reference: ReferencePicture, chroma: Float, gray_error: float, true_colorfulness: float
    ) -> None:
        """Add the predicted chroma (2, H, W) of a picture, at a strength of 1."""
        figures = []
        for strength in STRENGTHS:
            made = colored(reference.gray, chroma, strength)
            figures.append((chroma_l1(made, reference.rgb), colorfulness(made.astype(np.float32) / 255.0)))
        self._sets.append(reference.set)
        self._figures.append(np.array(figures))
        self._beside.append((gray_error, true_colorfulness))

    def result(self) -> tuple[StrengthPoint, ...]:
        """Return the points of all pictures, then of the historical sets if there are any."""
        historical = [name in HISTORICAL_SETS for name in self._sets]
        chosen: dict[str, Sequence[bool]] = {OVERALL: [True] * len(self._sets), HISTORICAL: historical}
        return tuple(
            point for name, which in chosen.items() if any(which) for point in self._points(name, which)
        )

    def _points(self, group: str, which: Sequence[bool]) -> list[StrengthPoint]:
        mask = np.array(which)
        means = np.stack(self._figures)[mask].mean(axis=0)
        gray_error, true_colorfulness = np.array(self._beside)[mask].mean(axis=0)
        return [
            StrengthPoint(
                group,
                strength,
                float(error / max(gray_error, 1e-9)),
                float(color / max(true_colorfulness, 1e-9)),
            )
            for strength, (error, color) in zip(STRENGTHS, means, strict=True)
        ]


def by_strength(points: Sequence[StrengthPoint]) -> dict[float, list[StrengthPoint]]:
    """Return the points of all groups at each strength, in their order."""
    found: dict[float, list[StrengthPoint]] = {}
    for point in points:
        found.setdefault(point.strength, []).append(point)
    return found
