"""How good painted test pictures are, by the figures of `saek evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from restoration.evaluation.features import FeatureNetwork
from restoration.evaluation.figures import PictureWithFeatures, RenderingMetrics, rendering_metrics
from restoration.evaluation.groups import GroupRendering, MeasuredPicture, PictureRendering, groups
from restoration.evaluation.rendering import left_gray
from restoration.evaluation.vividness import EXTREME, counted, percentile
from restoration.study.dataset import Dataset
from restoration.study.hues import HueFigures, HueTally
from restoration.study.preprocessing import Bytes, gray_of


@dataclass(frozen=True, slots=True)
class CandidateFigures:
    """Figures of one way to paint all test pictures."""

    rendering: GroupRendering
    hues: tuple[HueFigures, ...]


class Evaluator:
    """The test pictures, each with what is needed to compare with it."""

    def __init__(self, album: Dataset, eye: FeatureNetwork) -> None:
        self._eye = eye
        self.grays = tuple(gray_of(rgb) for rgb in album.test.rgb)
        everywhere = np.sum([counted(rgb) for rgb in album.train.rgb], axis=0)
        self.threshold = percentile(everywhere, EXTREME)
        """Chroma that 99.9 % of the training pixels do not exceed: beyond it lie blotches."""
        self._names = album.test.names
        self._true = tuple(PictureWithFeatures(rgb, self._eye.look(rgb)) for rgb in album.test.rgb)
        self._truth = [self._rendered(one.rgb, one) for one in self._true]
        self._gray = [
            self._rendered(left_gray(gray), true) for gray, true in zip(self.grays, self._true, strict=True)
        ]

    def judge(self, made: Sequence[Bytes]) -> CandidateFigures:
        """Compare pictures (H, W, 3), one for each test picture, with the truth."""
        hues = HueTally()
        pictures = []
        for place, (rgb, true) in enumerate(zip(made, self._true, strict=True)):
            hues.add(rgb, true.rgb)
            models = {"made": self._rendered(rgb, true)}
            pictures.append(
                MeasuredPicture(self._names[place], "test", self._gray[place], self._truth[place], models)
            )
        return CandidateFigures(groups(pictures)[0].models["made"], hues.result())

    def _rendered(self, rgb: Bytes, true: PictureWithFeatures) -> PictureRendering:
        seen = true if rgb is true.rgb else PictureWithFeatures(rgb, self._eye.look(rgb))
        return PictureRendering(
            rendering_metrics(seen, true, self.threshold), seen.features.pooled, counted(rgb)
        )


def as_facts(judged: CandidateFigures) -> dict[str, Any]:
    """Return the figures as JSON can hold them."""
    return asdict(judged)


def from_facts(facts: Mapping[str, Any]) -> CandidateFigures:
    """Undo `as_facts`."""
    rendering = dict(facts["rendering"])
    rendering["figures"] = RenderingMetrics(**rendering["figures"])
    rendering["vividness"] = tuple(rendering["vividness"])
    return CandidateFigures(GroupRendering(**rendering), tuple(HueFigures(**one) for one in facts["hues"]))
