"""How good models are, side by side, on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from restoration.arrays.luma import Float
from restoration.colorize.predicted_error import confidence
from restoration.evaluation.extremes import Extremes, require_extremes, training_extremes
from restoration.evaluation.features import Lite0Eye
from restoration.evaluation.figures import Seen, measure
from restoration.evaluation.groups import Group, PictureFigures, Rendered, groups
from restoration.evaluation.pictures import (
    Fingerprint,
    Listing,
    Reference,
    list_pictures,
    references,
    require_color,
)
from restoration.evaluation.reliability import Reliability, ReliabilityTally
from restoration.evaluation.rendering import colored, left_gray, luminance_of, predicted_chroma
from restoration.evaluation.scans import ScansMeasured, list_scans, measure_scans
from restoration.evaluation.subjects import Subject
from restoration.evaluation.terms import ProgressListener, Terms, silent
from restoration.evaluation.tiled import TilingMeasured, measure_tiling
from restoration.evaluation.trade import TradePoint, TradeTally
from restoration.evaluation.vividness import counted
from restoration.evaluation.watching import Look, Watcher
from restoration.training.metrics import chroma_error


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was measured."""

    terms: Terms
    listing: Listing
    data_sha256: str
    """Over names and pixels of the pictures that were measured."""
    colorless: tuple[str, ...]
    """Pictures that were left out, having no color or being tiny."""
    extremes: Extremes | None
    """Beyond which chroma there are blotches; None if nobody knows."""
    subjects: tuple[Subject, ...]
    groups: tuple[Group, ...]
    pictures: tuple[PictureFigures, ...]
    trades: Mapping[str, tuple[TradePoint, ...]]
    """By model."""
    reliabilities: Mapping[str, Reliability]
    """By model; empty where no confidence was asked for."""
    scans: ScansMeasured | None
    tiling: TilingMeasured | None
    """None if it was not asked for."""


@dataclass(slots=True)
class _Tally:
    """What is gathered of one model."""

    trade: TradeTally = field(default_factory=TradeTally)
    reliability: ReliabilityTally = field(default_factory=ReliabilityTally)


def evaluate_models(
    subjects: Sequence[Subject],
    data: Path,
    terms: Terms,
    *,
    scans: Path | None = None,
    progress: ProgressListener = silent,
    watcher: Watcher | None = None,
) -> Evaluation:
    """Measure models on the color pictures of a folder and, if asked, on monochrome scans.

    Pictures are decoded, colored and let go one by one. Raises TrainingError (the encoder's wheel is missing,
    a picture cannot be decoded), EvaluationError (nothing to measure on), OutOfMemory.
    """
    watcher = watcher or Watcher()
    eye = Lite0Eye()
    listing = list_pictures(data, terms.half)
    if scans is not None:
        list_scans(scans)
    extremes = _extremes(terms, data, progress)
    if scans is not None:
        require_extremes(extremes, data)
    tallies = {subject.name: _Tally() for subject in subjects}
    work = _Work(subjects, terms, extremes.training if extremes else None, eye, watcher, tallies)
    fingerprint, colorless, measured = Fingerprint(), [], []
    for number, reference in enumerate(references(listing, terms.side)):
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
        known = require_extremes(extremes, data)
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


def _extremes(terms: Terms, data: Path, progress: ProgressListener) -> Extremes | None:
    if terms.blotch_threshold is not None:
        return Extremes(terms.blotch_threshold, None)
    return training_extremes(data, progress)


@dataclass(frozen=True, slots=True)
class _Work:
    """Measures one picture after the other."""

    subjects: Sequence[Subject]
    terms: Terms
    threshold: float | None
    eye: Lite0Eye
    watcher: Watcher
    tallies: Mapping[str, _Tally]

    def measured(self, reference: Reference) -> PictureFigures:
        true = Seen(reference.rgb, self.eye.look(reference.rgb))
        gray = self._rendered(left_gray(reference.gray), true)
        truth = self._rendered(reference.rgb, true)
        models: dict[str, Rendered] = {}
        looks: dict[str, Look] = {}
        for subject in self.subjects:
            chroma = predicted_chroma(reference.gray, self.terms.preset, subject.model)
            made = colored(reference.gray, chroma, self.terms.strength)
            models[subject.name] = self._rendered(made, true)
            tally = self.tallies[subject.name]
            tally.trade.add(reference, chroma, gray.figures.chroma_l1, truth.figures.colorfulness)
            looks[subject.name] = self._look(reference, chroma, made, subject)
        self.watcher.picture(reference, looks)
        return PictureFigures(reference.name, reference.set, gray, truth, models)

    def _rendered(self, rgb: np.ndarray, true: Seen) -> Rendered:
        seen = true if rgb is true.rgb else Seen(rgb, self.eye.look(rgb))
        return Rendered(measure(seen, true, self.threshold), seen.features.pooled, counted(rgb))

    def _look(self, reference: Reference, chroma: Float, made: np.ndarray, subject: Subject) -> Look:
        error = chroma_error(made, reference.rgb)
        if not self.terms.confidence:
            return Look(made, error, None)
        luminance, model = luminance_of(reference.gray), subject.model
        sure = confidence(luminance, chroma, model.sizes, model.engine)
        gray_error = chroma_error(left_gray(reference.gray), reference.rgb)
        self.tallies[subject.name].reliability.add(sure, error, gray_error)
        return Look(made, error, sure)
