"""Which chroma the training pictures hardly ever have: more than that is a blotch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.pictures import HISTORICAL_SETS
from restoration.evaluation.terms import EvaluationProgress
from restoration.evaluation.vividness import EXTREME, counted, no_pixels, percentile
from restoration.training.dataset import listed, read_picture
from restoration.training.recipe import DataPlan

_SIDE = 192
_TOLD = 20


@dataclass(frozen=True, slots=True)
class BlotchThresholds:
    """Chroma magnitudes that 99.9 % of the pixels do not exceed."""

    training: float
    """Of all training pictures; beyond it lie blotches."""
    film: float | None
    """Of those of the historical sets; None if there are none, or if they were not looked at."""


def training_thresholds(folder: Path, progress: EvaluationProgress) -> BlotchThresholds | None:
    """Measure the training pictures that the manifest of a folder names; None if there are none.

    Each picture counts with a copy of a shorter side of 192 pixels at most, gray and toned ones not at all.
    Raises TrainingError if one cannot be decoded.
    """
    entries = listed(folder)["train"] if (folder / "manifest.csv").is_file() else []
    everywhere, film = no_pixels(), no_pixels()
    for number, (name, path) in enumerate(entries):
        if number % _TOLD == 0:
            progress("training pictures", number, len(entries))
        picture = read_picture(folder, name, path, DataPlan(side=_SIDE))
        if picture is None:
            continue
        counts = counted(picture.rgb)
        everywhere += counts
        if name in HISTORICAL_SETS:
            film += counts
    if not everywhere.any():
        return None
    return BlotchThresholds(
        percentile(everywhere, EXTREME), percentile(film, EXTREME) if film.any() else None
    )


def require_thresholds(found: BlotchThresholds | None, folder: Path) -> BlotchThresholds:
    """Raise EvaluationError if nobody knows which chroma is too much."""
    if found is None:
        raise EvaluationError(
            reason="no manifest names training pictures, so nobody knows which chroma is too much on scans",
            remedy="give the threshold of a report on the model's training pictures: --blotch-threshold",
            path=folder,
        )
    return found
