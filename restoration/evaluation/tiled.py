"""Metrics of tiled inference: seams, shift spread and consistency on pictures cut into windows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from restoration.arrays.luma import Float, Gray
from restoration.colorize import seam_metrics
from restoration.colorize.inference import ChromaField, colorize
from restoration.colorize.plan import plan_passes
from restoration.errors import MasterError
from restoration.evaluation.evaluated_models import EvaluatedModel
from restoration.evaluation.options import EvaluationOptions, EvaluationProgress
from restoration.evaluation.pictures import Listing, reference_pictures
from restoration.evaluation.rendering import colored, luminance_copy, luminance_of, upsampled_chroma
from restoration.evaluation.scan_blotches import list_scans, scan_luminance
from restoration.generators.loaded_model import LoadedModel
from restoration.recipe import Preset

SHIFTS = 4
"""Runs for a picture that is cut into windows, each with the windows shifted."""

_SEED = 1950


@dataclass(frozen=True, slots=True)
class TilingFigures:
    """One picture with one model and preset; color differences are in CIE L*a*b* units, after upsampling."""

    name: str
    width: int
    height: int
    windows: int
    """Number of windows of 256 x 256 pixels; a larger piece counts as several."""
    seam_ratio: float | None
    """Over all runs; None if nothing is cut into windows, or nothing is flat near their borders."""
    shift_spread: float | None
    """None if nothing is cut into windows."""
    consistency: float
    """The worst of the runs."""
    luma_error: int
    """The largest of the runs, in steps of 8 bits."""


@dataclass(frozen=True, slots=True)
class TilingMeasured:
    """Metrics of all pictures."""

    of_scans: bool
    """True if scans were measured, False if gray copies of the color pictures were."""
    refused: Mapping[str, str]
    """Name -> why the scan cannot be colored."""
    models: Mapping[str, Mapping[Preset, tuple[TilingFigures, ...]]]
    """By model and preset, in the order of the pictures."""


def measure_tiling(
    scans: Path | None,
    listing: Listing,
    models: Sequence[EvaluatedModel],
    options: EvaluationOptions,
    *,
    progress: EvaluationProgress,
) -> TilingMeasured:
    """Color scans, or without them the gray copies of the pictures, with every model and preset.

    What is cut into windows is colored four times, with shifted windows. Scans are measured at the size of
    inference, a longer side of at most 1536 pixels (4096 for native). Raises EvaluationError,
    TrainingError, OutOfMemory.
    """
    refused: dict[str, str] = {}
    found: dict[str, dict[Preset, list[TilingFigures]]] = {
        model.name: {preset: [] for preset in Preset} for model in models
    }
    total = len(Preset) * (len(listing.entries) if scans is None else len(list_scans(scans)))
    with tempfile.TemporaryDirectory() as scratch:
        pictures = (
            _pictures(listing, options.side) if scans is None else _scans(scans, refused, Path(scratch))
        )
        for number, (name, preset, gray) in enumerate(pictures):
            progress("seams", number, total)
            for model in models:
                figures = _figures(name, gray, preset, model.model, options.strength)
                found[model.name][preset].append(figures)
    progress("seams", total, total)
    by_model = {
        name: {preset: tuple(figures) for preset, figures in presets.items()}
        for name, presets in found.items()
    }
    return TilingMeasured(scans is not None, refused, by_model)


def _pictures(listing: Listing, side: int) -> Iterator[tuple[str, Preset, Gray]]:
    for reference in reference_pictures(listing, side):
        if not isinstance(reference, str):
            for preset in Preset:
                yield reference.name, preset, reference.gray


def _scans(folder: Path, refused: dict[str, str], scratch: Path) -> Iterator[tuple[str, Preset, Gray]]:
    for path in list_scans(folder):
        name = path.relative_to(folder).as_posix()
        for preset in Preset:
            try:
                luminance = scan_luminance(path, preset, scratch)
            except MasterError as error:
                refused[name] = error.reason
                break
            yield name, preset, np.rint(luminance * 255).astype(np.uint8)


def _figures(name: str, gray: Gray, preset: Preset, model: LoadedModel, strength: float) -> TilingFigures:
    luminance = luminance_copy(gray, preset)
    runs = [_run(gray, luminance, preset, model, offset) for offset in _offsets(luminance, preset, model)]
    others = [chroma for _, chroma in (*runs[1:], runs[0])]
    laid = [
        seam_metrics.windowed_field(field, luminance, chroma, other)
        for (field, chroma), other in zip(runs, others, strict=True)
    ]
    windows = [one for one in laid if one is not None]
    finished = luminance_of(gray)
    return TilingFigures(
        name=name,
        width=gray.shape[1],
        height=gray.shape[0],
        windows=runs[0][0].windows,
        seam_ratio=seam_metrics.seam_ratio(windows) if windows else None,
        shift_spread=seam_metrics.shift_spread([chroma for _, chroma in runs], finished) if windows else None,
        consistency=max(seam_metrics.consistency(chroma, field.palette, finished) for field, chroma in runs),
        luma_error=max(seam_metrics.luma_error(colored(gray, chroma, strength), gray) for _, chroma in runs),
    )


def _offsets(luminance: Float, preset: Preset, model: LoadedModel) -> Sequence[tuple[int, int]]:
    """Draw the offsets of the windows; the same for every model of the same sizes."""
    height, width = luminance.shape
    details = plan_passes(height, width, preset, model.spec).details
    strides = [one.stride for one in details if one.stride is not None]
    if not strides:
        return ((0, 0),)
    drawn = np.random.default_rng(_SEED).integers(0, min(strides), (SHIFTS, 2))
    return [(int(down), int(across)) for down, across in drawn]


def _run(
    gray: Gray, luminance: Float, preset: Preset, model: LoadedModel, offset: tuple[int, int]
) -> tuple[ChromaField, Float]:
    """Color once: the chroma field, and its Cb and Cr (2, H, W) at the size of the picture."""
    field = colorize(luminance, preset, model.spec, model.engine, offset=offset)
    return field, upsampled_chroma(field.chroma, luminance, gray)
