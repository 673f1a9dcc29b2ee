"""Reliability of the confidence: its correlation with the error, and the calibration by tenths of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.luma import Float
from restoration.colorize.predicted_error import CLOSE
from restoration.training.rank_correlation import sampled_pixels, spearman

TENTHS = 10


@dataclass(frozen=True, slots=True)
class Tenth:
    """A tenth of the pixels, the least confident first."""

    confidence: float
    """Mean."""
    error: float
    """Mean distance of the predicted chroma from the true one."""
    close: float
    """Share of pixels at a distance of at most `predicted_error.CLOSE`, which confidence predicts."""
    gray_error: float
    """Mean distance of gray from the true chroma: how colorful the truth is there."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Reliability of a confidence; the correlations are Spearman's, of 1 - confidence with the error."""

    correlation: float | None
    """Over one in eight pixels of all pictures, drawn with a fixed seed."""
    picture_correlation: float | None
    """Mean of the correlations inside each picture."""
    pixels: int
    pictures: int
    """Pictures that have a correlation, as neither confidence nor error is constant."""
    tenths: tuple[Tenth, ...]


def _tenth(columns: NDArray[np.float64]) -> Tenth:
    confidence, error, gray_error = (float(column.mean()) for column in columns)
    return Tenth(confidence, error, float((columns[1] <= CLOSE).mean()), gray_error)


class ReliabilityTally:
    """Accumulates pictures."""

    def __init__(self) -> None:
        self._correlations: list[float] = []
        self._pixels: list[NDArray[np.float32]] = []

    def add(self, confidence: Float, error: Float, gray_error: Float) -> float | None:
        """Add a picture's planes (H, W) and return its own correlation; None if a plane is constant."""
        columns = np.stack([plane.ravel() for plane in (confidence, error, gray_error)])
        some = sampled_pixels(columns.shape[1], len(self._pixels))
        self._pixels.append(columns[:, some].astype(np.float32))
        correlation = spearman(1.0 - columns[0], columns[1])
        if correlation is not None:
            self._correlations.append(correlation)
        return correlation

    def result(self) -> Reliability:
        """Return the reliability over the pictures. Raises ValueError if there were none."""
        if not self._pixels:
            raise ValueError("there are no pictures")
        columns = np.concatenate(self._pixels, axis=1).astype(np.float64)
        ordered = columns[:, np.argsort(columns[0], kind="stable")]
        tenths = [_tenth(part) for part in np.array_split(ordered, TENTHS, axis=1)]
        return Reliability(
            correlation=spearman(1.0 - columns[0], columns[1]),
            picture_correlation=float(np.mean(self._correlations)) if self._correlations else None,
            pixels=columns.shape[1],
            pictures=len(self._correlations),
            tenths=tuple(tenths),
        )
