"""How good painted test pictures are, by the figures of `saek evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from restoration.evaluation.features import Lite0Eye
from restoration.evaluation.figures import Figures, Seen, measure
from restoration.evaluation.groups import PictureFigures, Rendered, Rendering, groups
from restoration.evaluation.rendering import left_gray
from restoration.evaluation.vividness import EXTREME, counted, percentile
from restoration.study.dataset import Album
from restoration.study.hues import HueFigures, HueTally
from restoration.study.preprocessing import Bytes, gray_of


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures of one way to paint all test pictures."""

    rendering: Rendering
    hues: tuple[HueFigures, ...]


class Bench:
    """The test pictures, each with what is needed to compare with it."""

    def __init__(self, album: Album, eye: Lite0Eye) -> None:
        self._eye = eye
        self.grays = tuple(gray_of(rgb) for rgb in album.test.rgb)
        everywhere = np.sum([counted(rgb) for rgb in album.train.rgb], axis=0)
        self.threshold = percentile(everywhere, EXTREME)
        """Chroma that 99.9 % of the training pixels do not exceed: beyond it lie blotches."""
        self._names = album.test.names
        self._true = tuple(Seen(rgb, self._eye.look(rgb)) for rgb in album.test.rgb)
        self._truth = [self._rendered(one.rgb, one) for one in self._true]
        self._gray = [
            self._rendered(left_gray(gray), true) for gray, true in zip(self.grays, self._true, strict=True)
        ]

    def judge(self, made: Sequence[Bytes]) -> Judged:
        """Compare pictures (H, W, 3), one for each test picture, with the truth."""
        hues = HueTally()
        pictures = []
        for place, (rgb, true) in enumerate(zip(made, self._true, strict=True)):
            hues.add(rgb, true.rgb)
            models = {"made": self._rendered(rgb, true)}
            pictures.append(
                PictureFigures(self._names[place], "test", self._gray[place], self._truth[place], models)
            )
        return Judged(groups(pictures)[0].models["made"], hues.result())

    def _rendered(self, rgb: Bytes, true: Seen) -> Rendered:
        seen = true if rgb is true.rgb else Seen(rgb, self._eye.look(rgb))
        return Rendered(measure(seen, true, self.threshold), seen.features.pooled, counted(rgb))


def as_facts(judged: Judged) -> dict[str, Any]:
    """Return the figures as JSON can hold them."""
    return asdict(judged)


def from_facts(facts: Mapping[str, Any]) -> Judged:
    """Undo `as_facts`."""
    rendering = dict(facts["rendering"])
    rendering["figures"] = Figures(**rendering["figures"])
    rendering["vividness"] = tuple(rendering["vividness"])
    return Judged(Rendering(**rendering), tuple(HueFigures(**one) for one in facts["hues"]))
