"""Whether a model paints blotches on monochrome scans, of which nobody knows the true colors."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restoration.arrays import resample
from restoration.arrays.luma import Float, Gray
from restoration.colorize.inference import colorize
from restoration.colorize.plan import guide_side
from restoration.errors import MasterError
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.extremes import BlotchThresholds
from restoration.evaluation.rendering import colored, laid_on, luminance_of
from restoration.evaluation.subjects import EvaluatedModel
from restoration.evaluation.terms import BLOTCH_LIMIT, EvaluationOptions, EvaluationProgress
from restoration.evaluation.vividness import magnitudes, share_beyond
from restoration.evaluation.watching import PictureListener
from restoration.masters import monochrome
from restoration.masters.facts import Limits
from restoration.masters.identify import identify
from restoration.masters.strips import Master
from restoration.recipe import Preset
from restoration.training.dataset import SUFFIXES
from restoration.training.metrics import colorfulness

SIDE = 512
"""Longer side of the colored copy that is looked at, pixels."""


@dataclass(frozen=True, slots=True)
class ScanFigures:
    """One scan as one model colors it."""

    name: str
    blotches: float
    """Share of pixels beyond the training pictures' chroma."""
    beyond_film: float | None
    """Share of pixels beyond the chroma of the historical training pictures, where that is known."""
    most: float
    """99.9th percentile of the chroma magnitude."""
    colorfulness: float

    @property
    def blotched(self) -> bool:
        """Whether the share exceeds what the product allows."""
        return self.blotches >= BLOTCH_LIMIT


@dataclass(frozen=True, slots=True)
class ScansMeasured:
    """All scans of a folder."""

    extremes: BlotchThresholds
    refused: Mapping[str, str]
    """Name -> why the scan cannot be colored."""
    models: Mapping[str, tuple[ScanFigures, ...]]
    """By model, the most blotched first."""


def list_scans(folder: Path) -> tuple[Path, ...]:
    """List the pictures below a folder. Raises EvaluationError if there are none."""
    found = tuple(p for p in sorted(folder.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise EvaluationError(
            reason="there are no scans",
            remedy=f"give a folder with files ending in {', '.join(sorted(SUFFIXES))}",
            path=folder,
        )
    return found


def measure_scans(
    folder: Path,
    subjects: Sequence[EvaluatedModel],
    terms: EvaluationOptions,
    extremes: BlotchThresholds,
    *,
    progress: EvaluationProgress,
    watcher: PictureListener,
) -> ScansMeasured:
    """Color every scan of a folder with every model and measure the share of its pixels beyond the extremes.

    What cannot be restored (color pictures, damaged files) is told with its reason. Raises EvaluationError.
    """
    paths = list_scans(folder)
    refused: dict[str, str] = {}
    found: dict[str, list[ScanFigures]] = {subject.name: [] for subject in subjects}
    with tempfile.TemporaryDirectory() as scratch:
        for number, path in enumerate(paths):
            progress("scans", number, len(paths))
            name = path.relative_to(folder).as_posix()
            try:
                luminance = scan_luminance(path, terms.preset, Path(scratch))
            except MasterError as error:
                refused[name] = error.reason
                continue
            gray = _gray(luminance)
            made = [_colored(luminance, gray, terms, subject) for subject in subjects]
            watcher.scan(name, gray, {subject.name: rgb for subject, rgb in zip(subjects, made, strict=True)})
            for subject, rgb in zip(subjects, made, strict=True):
                found[subject.name].append(_figures(name, rgb, extremes))
        progress("scans", len(paths), len(paths))
    ordered = {
        name: tuple(sorted(figures, key=lambda one: (-one.blotches, -one.most, one.name)))
        for name, figures in found.items()
    }
    return ScansMeasured(extremes, refused, ordered)


def scan_luminance(path: Path, preset: Preset, scratch: Path) -> Float:
    """Return the luminance copy (h, w) in [0, 1] of a scan that its colors are inferred for.

    Raises MasterError if it is a color picture, or cannot be read.
    """
    facts = identify(path, Limits())
    overview = Master(path, facts, scratch).overview(guide_side(preset, facts.height, facts.width))
    monochrome.require_monochrome(monochrome.measure_tone(overview), path)
    return monochrome.luminance_plane(overview)


def _gray(luminance: Float) -> Gray:
    height, width = luminance.shape
    shape = resample.fit(height, width, min(SIDE, max(height, width)))
    return np.rint(resample.reduce(luminance, *shape) * 255).astype(np.uint8)


def _colored(
    luminance: Float, gray: Gray, terms: EvaluationOptions, subject: EvaluatedModel
) -> NDArray[np.uint8]:
    field = colorize(luminance, terms.preset, subject.model.spec, subject.model.engine)
    return colored(gray, laid_on(field.chroma, luminance_of(gray), gray), terms.strength)


def _figures(name: str, rgb: NDArray[np.uint8], extremes: BlotchThresholds) -> ScanFigures:
    return ScanFigures(
        name=name,
        blotches=share_beyond(rgb, extremes.training),
        beyond_film=None if extremes.film is None else share_beyond(rgb, extremes.film),
        most=float(np.percentile(magnitudes(rgb), 99.9)),
        colorfulness=colorfulness(rgb.astype(np.float32) / 255.0),
    )
