"""Thresholds of chroma magnitude, from the training pictures, beyond which color is a blotch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from restoration.evaluation.chroma_histogram import (
    BLOTCH_PERCENTILE,
    chroma_histogram,
    empty_histogram,
    percentile,
)
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.options import EvaluationProgress
from restoration.evaluation.pictures import HISTORICAL_SETS
from restoration.training.dataset import listed, read_picture
from restoration.training.recipe import DataPlan

_SIDE = 192
_REPORT_PICTURES = 20


@dataclass(frozen=True, slots=True)
class BlotchThresholds:
    """Chroma magnitudes that 99.9 % of the training pixels do not exceed; more is a blotch."""

    training: float
    """Of all training pictures."""
    film: float | None
    """Of the historical sets; None if there are none, or if they were not measured."""


def training_thresholds(folder: Path, progress: EvaluationProgress) -> BlotchThresholds | None:
    """Measure the training pictures in the manifest of a folder; None if there are none.

    Pictures are reduced to a shorter side of at most 192 pixels; gray and toned ones are left out. Raises
    TrainingError if one cannot be decoded.
    """
    entries = listed(folder)["train"] if (folder / "manifest.csv").is_file() else []
    everywhere, film = empty_histogram(), empty_histogram()
    for number, (name, path) in enumerate(entries):
        if number % _REPORT_PICTURES == 0:
            progress("training pictures", number, len(entries))
        picture = read_picture(folder, name, path, DataPlan(side=_SIDE))
        if picture is None:
            continue
        found = chroma_histogram(picture.rgb)
        everywhere += found
        if name in HISTORICAL_SETS:
            film += found
    if not everywhere.any():
        return None
    return BlotchThresholds(
        percentile(everywhere, BLOTCH_PERCENTILE), percentile(film, BLOTCH_PERCENTILE) if film.any() else None
    )


def require_thresholds(found: BlotchThresholds | None, folder: Path) -> BlotchThresholds:
    """Return the thresholds, or raise EvaluationError if there are none."""
    if found is None:
        raise EvaluationError(
            reason="no manifest names training pictures, so the chroma of a blotch on scans is unknown",
            remedy="give the threshold of a report on the model's training pictures: --blotch-threshold",
            path=folder,
        )
    return found
