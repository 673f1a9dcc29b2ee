"""How good models are, side by side, on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from restoration.arrays.luma import Float
from restoration.colorize.predicted_error import confidence
from restoration.evaluation.extremes import BlotchThresholds, require_thresholds, training_thresholds
from restoration.evaluation.features import FeatureNetwork
from restoration.evaluation.figures import PictureWithFeatures, rendering_metrics
from restoration.evaluation.groups import Group, MeasuredPicture, PictureRendering, groups
from restoration.evaluation.pictures import (
    Fingerprint,
    Listing,
    ReferencePicture,
    list_pictures,
    reference_pictures,
    require_color,
)
from restoration.evaluation.reliability import Reliability, ReliabilityTally
from restoration.evaluation.rendering import colored, left_gray, luminance_of, predicted_chroma
from restoration.evaluation.scans import ScansMeasured, list_scans, measure_scans
from restoration.evaluation.subjects import EvaluatedModel
from restoration.evaluation.terms import EvaluationOptions, EvaluationProgress, silent
from restoration.evaluation.tiled import TilingMeasured, measure_tiling
from restoration.evaluation.trade import StrengthPoint, StrengthTally
from restoration.evaluation.vividness import counted
from restoration.evaluation.watching import ModelOutput, PictureListener
from restoration.training.metrics import chroma_error


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was measured."""

    terms: EvaluationOptions
    listing: Listing
    data_sha256: str
    """Over names and pixels of the pictures that were measured."""
    colorless: tuple[str, ...]
    """Pictures that were left out, having no color or being tiny."""
    extremes: BlotchThresholds | None
    """Beyond which chroma there are blotches; None if nobody knows."""
    subjects: tuple[EvaluatedModel, ...]
    groups: tuple[Group, ...]
    pictures: tuple[MeasuredPicture, ...]
    trades: Mapping[str, tuple[StrengthPoint, ...]]
    """By model."""
    reliabilities: Mapping[str, Reliability]
    """By model; empty where no confidence was asked for."""
    scans: ScansMeasured | None
    tiling: TilingMeasured | None
    """None if it was not asked for."""


@dataclass(slots=True)
class _Tally:
    """What is gathered of one model."""

    trade: StrengthTally = field(default_factory=StrengthTally)
    reliability: ReliabilityTally = field(default_factory=ReliabilityTally)


def evaluate_models(
    subjects: Sequence[EvaluatedModel],
    data: Path,
    terms: EvaluationOptions,
    *,
    scans: Path | None = None,
    progress: EvaluationProgress = silent,
    watcher: PictureListener | None = None,
) -> Evaluation:
    """Measure models on the color pictures of a folder and, if asked, on monochrome scans.

    Pictures are decoded, colored and let go one by one. Raises TrainingError (the encoder's wheel is missing,
    a picture cannot be decoded), EvaluationError (nothing to measure on), OutOfMemory.
    """
    watcher = watcher or PictureListener()
    eye = FeatureNetwork()
    listing = list_pictures(data, terms.half)
    if scans is not None:
        list_scans(scans)
    extremes = _extremes(terms, data, progress)
    if scans is not None:
        require_thresholds(extremes, data)
    tallies = {subject.name: _Tally() for subject in subjects}
    work = _Work(subjects, terms, extremes.training if extremes else None, eye, watcher, tallies)
    fingerprint, colorless, measured = Fingerprint(), [], []
    for number, reference in enumerate(reference_pictures(listing, terms.side)):
        progress("pictures", number, len(listing.entries))
        if isinstance(reference, str):
            colorless.append(reference)
            continue
        fingerprint.add(reference)
        measured.append(work.measured(reference))
    progress("pictures", len(listing.entries), len(listing.entries))
    require_color(len(measured), listing)
    looked = None
    if scans is not None:
        known = require_thresholds(extremes, data)
        looked = measure_scans(scans, subjects, terms, known, progress=progress, watcher=watcher)
    tiled = measure_tiling(scans, listing, subjects, terms, progress=progress) if terms.tiling else None
    return Evaluation(
        terms=terms,
        listing=listing,
        data_sha256=fingerprint.hex(),
        colorless=tuple(colorless),
        extremes=extremes,
        subjects=tuple(subjects),
        groups=groups(measured),
        pictures=tuple(measured),
        trades={name: tally.trade.result() for name, tally in tallies.items()},
        reliabilities={
            name: tally.reliability.result() for name, tally in tallies.items() if terms.confidence
        },
        scans=looked,
        tiling=tiled,
    )


def _extremes(terms: EvaluationOptions, data: Path, progress: EvaluationProgress) -> BlotchThresholds | None:
    if terms.blotch_threshold is not None:
        return BlotchThresholds(terms.blotch_threshold, None)
    return training_thresholds(data, progress)


@dataclass(frozen=True, slots=True)
class _Work:
    """Measures one picture after the other."""

    subjects: Sequence[EvaluatedModel]
    terms: EvaluationOptions
    threshold: float | None
    eye: FeatureNetwork
    watcher: PictureListener
    tallies: Mapping[str, _Tally]

    def measured(self, reference: ReferencePicture) -> MeasuredPicture:
        true = PictureWithFeatures(reference.rgb, self.eye.look(reference.rgb))
        gray = self._rendered(left_gray(reference.gray), true)
        truth = self._rendered(reference.rgb, true)
        models: dict[str, PictureRendering] = {}
        looks: dict[str, ModelOutput] = {}
        for subject in self.subjects:
            chroma = predicted_chroma(reference.gray, self.terms.preset, subject.model)
            made = colored(reference.gray, chroma, self.terms.strength)
            models[subject.name] = self._rendered(made, true)
            tally = self.tallies[subject.name]
            tally.trade.add(reference, chroma, gray.figures.chroma_l1, truth.figures.colorfulness)
            looks[subject.name] = self._look(reference, chroma, made, subject)
        self.watcher.picture(reference, looks)
        return MeasuredPicture(reference.name, reference.set, gray, truth, models)

    def _rendered(self, rgb: np.ndarray, true: PictureWithFeatures) -> PictureRendering:
        seen = true if rgb is true.rgb else PictureWithFeatures(rgb, self.eye.look(rgb))
        return PictureRendering(
            rendering_metrics(seen, true, self.threshold), seen.features.pooled, counted(rgb)
        )

    def _look(
        self, reference: ReferencePicture, chroma: Float, made: np.ndarray, subject: EvaluatedModel
    ) -> ModelOutput:
        error = chroma_error(made, reference.rgb)
        if not self.terms.confidence:
            return ModelOutput(made, error, None)
        luminance, model = luminance_of(reference.gray), subject.model
        sure = confidence(luminance, chroma, model.spec, model.engine)
        gray_error = chroma_error(left_gray(reference.gray), reference.rgb)
        self.tallies[subject.name].reliability.add(sure, error, gray_error)
        return ModelOutput(made, error, sure)
