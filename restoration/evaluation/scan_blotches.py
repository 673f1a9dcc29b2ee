"""Color each scan of a folder with each model and measure blotches; true colors are unknown."""

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
from restoration.evaluation.blotch_thresholds import BlotchThresholds
from restoration.evaluation.chroma_histogram import chroma_magnitudes, share_beyond
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.evaluated_models import EvaluatedModel
from restoration.evaluation.options import (
    BLOTCH_LIMIT,
    EvaluationOptions,
    EvaluationProgress,
    PictureListener,
)
from restoration.evaluation.rendering import colored, luminance_of, upsampled_chroma
from restoration.masters import monochrome
from restoration.masters.facts import Limits
from restoration.masters.identify import identify
from restoration.masters.strips import Master
from restoration.recipe import Preset
from restoration.training.dataset import SUFFIXES
from restoration.training.metrics import colorfulness

SIDE = 512
"""Longer side of the colored copy that is measured, pixels."""


@dataclass(frozen=True, slots=True)
class ScanFigures:
    """Metrics of one scan as one model colors it."""

    name: str
    blotches: float
    """Share of pixels with more chroma than training pictures have."""
    beyond_film: float | None
    """The same for the historical training pictures; None if their chroma is unknown."""
    most: float
    """99.9th percentile of the chroma magnitude."""
    colorfulness: float

    @property
    def blotched(self) -> bool:
        """True if the share of blotches is above the limit."""
        return self.blotches >= BLOTCH_LIMIT


@dataclass(frozen=True, slots=True)
class ScansMeasured:
    """Metrics of all scans of a folder."""

    thresholds: BlotchThresholds
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
    models: Sequence[EvaluatedModel],
    options: EvaluationOptions,
    thresholds: BlotchThresholds,
    *,
    progress: EvaluationProgress,
    listener: PictureListener,
) -> ScansMeasured:
    """Color every scan of a folder with every model and measure its blotches.

    Scans that cannot be restored (color pictures, damaged files) are listed with the reason. Raises
    EvaluationError.
    """
    paths = list_scans(folder)
    refused: dict[str, str] = {}
    found: dict[str, list[ScanFigures]] = {model.name: [] for model in models}
    with tempfile.TemporaryDirectory() as scratch:
        for number, path in enumerate(paths):
            progress("scans", number, len(paths))
            name = path.relative_to(folder).as_posix()
            try:
                luminance = scan_luminance(path, options.preset, Path(scratch))
            except MasterError as error:
                refused[name] = error.reason
                continue
            gray = _gray(luminance)
            made = [_colored(luminance, gray, options, model) for model in models]
            listener.scan(name, gray, {model.name: rgb for model, rgb in zip(models, made, strict=True)})
            for model, rgb in zip(models, made, strict=True):
                found[model.name].append(_figures(name, rgb, thresholds))
        progress("scans", len(paths), len(paths))
    ordered = {
        name: tuple(sorted(figures, key=lambda one: (-one.blotches, -one.most, one.name)))
        for name, figures in found.items()
    }
    return ScansMeasured(thresholds, refused, ordered)


def scan_luminance(path: Path, preset: Preset, scratch: Path) -> Float:
    """Return the reduced luminance (h, w) in [0, 1] of a scan, the input of inference.

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
    luminance: Float, gray: Gray, options: EvaluationOptions, model: EvaluatedModel
) -> NDArray[np.uint8]:
    field = colorize(luminance, options.preset, model.model.spec, model.model.engine)
    return colored(gray, upsampled_chroma(field.chroma, luminance_of(gray), gray), options.strength)


def _figures(name: str, rgb: NDArray[np.uint8], thresholds: BlotchThresholds) -> ScanFigures:
    return ScanFigures(
        name=name,
        blotches=share_beyond(rgb, thresholds.training),
        beyond_film=None if thresholds.film is None else share_beyond(rgb, thresholds.film),
        most=float(np.percentile(chroma_magnitudes(rgb), 99.9)),
        colorfulness=colorfulness(rgb.astype(np.float32) / 255.0),
    )
