"""Compare pictures that a candidate colored with the true ones, overall and by hue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from restoration.evaluation.chroma_histogram import BLOTCH_PERCENTILE, chroma_histogram, percentile
from restoration.evaluation.features import FeatureNetwork
from restoration.evaluation.groups import GroupRendering, MeasuredPicture, PictureRendering, groups
from restoration.evaluation.metrics import PictureWithFeatures, RenderingMetrics, rendering_metrics
from restoration.evaluation.rendering import left_gray
from restoration.study.dataset import Dataset
from restoration.study.hues import HueFigures, HueTally
from restoration.study.preprocessing import Bytes, gray_of


@dataclass(frozen=True, slots=True)
class CandidateMetrics:
    """Metrics of one way to color all test pictures."""

    rendering: GroupRendering
    hues: tuple[HueFigures, ...]


class Evaluator:
    """Compares colored pictures with the test pictures."""

    def __init__(self, dataset: Dataset, network: FeatureNetwork) -> None:
        self._network = network
        self.grays = tuple(gray_of(rgb) for rgb in dataset.test.rgb)
        everywhere = np.sum([chroma_histogram(rgb) for rgb in dataset.train.rgb], axis=0)
        self.threshold = percentile(everywhere, BLOTCH_PERCENTILE)
        """Chroma that 99.9 % of the training pixels do not exceed; more is a blotch."""
        self._names = dataset.test.names
        self._true = tuple(PictureWithFeatures(rgb, self._network.features(rgb)) for rgb in dataset.test.rgb)
        self._truth = [self._rendered(one.rgb, one) for one in self._true]
        self._gray = [
            self._rendered(left_gray(gray), true) for gray, true in zip(self.grays, self._true, strict=True)
        ]

    def evaluate(self, made: Sequence[Bytes]) -> CandidateMetrics:
        """Compare pictures (H, W, 3), uint8, one for each test picture, with the truth."""
        hues = HueTally()
        pictures = []
        for place, (rgb, true) in enumerate(zip(made, self._true, strict=True)):
            hues.add(rgb, true.rgb)
            models = {"made": self._rendered(rgb, true)}
            pictures.append(
                MeasuredPicture(self._names[place], "test", self._gray[place], self._truth[place], models)
            )
        return CandidateMetrics(groups(pictures)[0].models["made"], hues.result())

    def _rendered(self, rgb: Bytes, true: PictureWithFeatures) -> PictureRendering:
        seen = true if rgb is true.rgb else PictureWithFeatures(rgb, self._network.features(rgb))
        return PictureRendering(
            rendering_metrics(seen, true, self.threshold), seen.features.pooled, chroma_histogram(rgb)
        )


def as_facts(metrics: CandidateMetrics) -> dict[str, Any]:
    """Return the metrics as JSON can hold them."""
    return asdict(metrics)


def from_facts(facts: Mapping[str, Any]) -> CandidateMetrics:
    """Undo `as_facts`."""
    rendering = dict(facts["rendering"])
    rendering["figures"] = RenderingMetrics(**rendering["figures"])
    rendering["vividness"] = tuple(rendering["vividness"])
    return CandidateMetrics(GroupRendering(**rendering), tuple(HueFigures(**one) for one in facts["hues"]))
