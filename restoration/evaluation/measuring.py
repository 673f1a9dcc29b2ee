"""Evaluation of models side by side on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.luma import Float
from restoration.colorize.predicted_error import confidence
from restoration.evaluation.blotch_thresholds import BlotchThresholds, require_thresholds, training_thresholds
from restoration.evaluation.chroma_histogram import chroma_histogram
from restoration.evaluation.evaluated_models import EvaluatedModel
from restoration.evaluation.features import FeatureNetwork
from restoration.evaluation.groups import Group, MeasuredPicture, PictureRendering, groups
from restoration.evaluation.metrics import PictureWithFeatures, rendering_metrics
from restoration.evaluation.options import (
    EvaluationOptions,
    EvaluationProgress,
    ModelOutput,
    PictureListener,
    silent,
)
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
from restoration.evaluation.scan_blotches import ScansMeasured, list_scans, measure_scans
from restoration.evaluation.strength_curve import StrengthPoint, StrengthTally
from restoration.evaluation.tiled import TilingMeasured, measure_tiling
from restoration.training.metrics import chroma_error


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All measurements of an evaluation."""

    options: EvaluationOptions
    listing: Listing
    data_sha256: str
    """Over names and pixels of the measured pictures."""
    colorless: tuple[str, ...]
    """Pictures that were left out, as they have no color or are tiny."""
    thresholds: BlotchThresholds | None
    """Chroma beyond which color is a blotch; None if unknown."""
    models: tuple[EvaluatedModel, ...]
    groups: tuple[Group, ...]
    pictures: tuple[MeasuredPicture, ...]
    strength_curves: Mapping[str, tuple[StrengthPoint, ...]]
    """By model."""
    reliabilities: Mapping[str, Reliability]
    """By model; empty if the confidence was not computed."""
    scans: ScansMeasured | None
    tiling: TilingMeasured | None
    """None if it was not asked for."""


def evaluate_models(
    models: Sequence[EvaluatedModel],
    data: Path,
    options: EvaluationOptions,
    *,
    scans: Path | None = None,
    progress: EvaluationProgress = silent,
    listener: PictureListener | None = None,
) -> Evaluation:
    """Measure models on the color pictures of a folder and, if given, on monochrome scans.

    Pictures are decoded, colored and released one by one. Raises TrainingError (the encoder's wheel is
    missing, a picture cannot be decoded), EvaluationError (there is nothing to measure), OutOfMemory.
    """
    listener = listener or PictureListener()
    network = FeatureNetwork()
    listing = list_pictures(data, options.half)
    if scans is not None:
        list_scans(scans)
    if options.blotch_threshold is None:
        thresholds = training_thresholds(data, progress)
    else:
        thresholds = BlotchThresholds(options.blotch_threshold, None)
    if scans is not None:
        require_thresholds(thresholds, data)
    threshold = thresholds.training if thresholds else None
    measurement = _PictureMeasurement(models, options, threshold, network, listener)
    fingerprint, colorless, measured = Fingerprint(), [], []
    for number, reference in enumerate(reference_pictures(listing, options.side)):
        progress("pictures", number, len(listing.entries))
        if isinstance(reference, str):
            colorless.append(reference)
            continue
        fingerprint.add(reference)
        measured.append(measurement.measure(reference))
    progress("pictures", len(listing.entries), len(listing.entries))
    require_color(len(measured), listing)
    measured_scans = None
    if scans is not None:
        known = require_thresholds(thresholds, data)
        measured_scans = measure_scans(scans, models, options, known, progress=progress, listener=listener)
    tiling = measure_tiling(scans, listing, models, options, progress=progress) if options.tiling else None
    return Evaluation(
        options=options,
        listing=listing,
        data_sha256=fingerprint.hex(),
        colorless=tuple(colorless),
        thresholds=thresholds,
        models=tuple(models),
        groups=groups(measured),
        pictures=tuple(measured),
        strength_curves={name: tally.result() for name, tally in measurement.strengths.items()},
        reliabilities={name: tally.result() for name, tally in measurement.reliabilities.items()},
        scans=measured_scans,
        tiling=tiling,
    )


class _PictureMeasurement:
    """Measures pictures one by one and accumulates the strength curves and reliabilities of the models."""

    def __init__(
        self,
        models: Sequence[EvaluatedModel],
        options: EvaluationOptions,
        threshold: float | None,
        network: FeatureNetwork,
        listener: PictureListener,
    ) -> None:
        self.models = models
        self.options = options
        self.threshold = threshold
        self.network = network
        self.listener = listener
        self.strengths = {model.name: StrengthTally() for model in models}
        self.reliabilities = {model.name: ReliabilityTally() for model in models if options.confidence}

    def measure(self, reference: ReferencePicture) -> MeasuredPicture:
        true = PictureWithFeatures(reference.rgb, self.network.features(reference.rgb))
        gray = self._rendering(left_gray(reference.gray), true)
        truth = self._rendering(reference.rgb, true)
        renderings: dict[str, PictureRendering] = {}
        outputs: dict[str, ModelOutput] = {}
        for model in self.models:
            chroma = predicted_chroma(reference.gray, self.options.preset, model.model)
            made = colored(reference.gray, chroma, self.options.strength)
            renderings[model.name] = self._rendering(made, true)
            self.strengths[model.name].add(
                reference, chroma, gray.figures.chroma_l1, truth.figures.colorfulness
            )
            outputs[model.name] = self._output(reference, chroma, made, model)
        self.listener.picture(reference, outputs)
        return MeasuredPicture(reference.name, reference.set, gray, truth, renderings)

    def _rendering(self, rgb: NDArray[np.uint8], true: PictureWithFeatures) -> PictureRendering:
        made = true if rgb is true.rgb else PictureWithFeatures(rgb, self.network.features(rgb))
        metrics = rendering_metrics(made, true, self.threshold)
        return PictureRendering(metrics, made.features.pooled, chroma_histogram(rgb))

    def _output(
        self, reference: ReferencePicture, chroma: Float, made: NDArray[np.uint8], model: EvaluatedModel
    ) -> ModelOutput:
        error = chroma_error(made, reference.rgb)
        if not self.options.confidence:
            return ModelOutput(made, error, None)
        luminance = luminance_of(reference.gray)
        sure = confidence(luminance, chroma, model.model.spec, model.model.engine)
        gray_error = chroma_error(left_gray(reference.gray), reference.rgb)
        self.reliabilities[model.name].add(sure, error, gray_error)
        return ModelOutput(made, error, sure)
