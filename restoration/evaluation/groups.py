"""What the figures of single pictures come to: overall, for the historical sets, and for each set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restoration.evaluation.figures import RenderingMetrics, mean
from restoration.evaluation.frechet import LEAST_PICTURES, frechet_distance
from restoration.evaluation.pictures import HISTORICAL, HISTORICAL_SETS, OVERALL
from restoration.evaluation.vividness import Counts, shares


@dataclass(frozen=True, slots=True)
class PictureRendering:
    """All that was measured of one rendering of one picture."""

    figures: RenderingMetrics
    pooled: NDArray[np.float32]
    """The network's pooled features (1280,)."""
    counts: Counts
    """Pixels by chroma magnitude."""


@dataclass(frozen=True, slots=True)
class MeasuredPicture:
    """One picture: left gray, the truth, and as each model colors it."""

    name: str
    set: str
    gray: PictureRendering
    truth: PictureRendering
    models: Mapping[str, PictureRendering]


@dataclass(frozen=True, slots=True)
class GroupRendering:
    """The means of one kind of rendering over a group of pictures."""

    figures: RenderingMetrics
    frechet: float | None
    """EfficientNet-Lite0 Fréchet distance from the truth; None for fewer than 30 pictures."""
    chroma_ratio: float
    """Chroma L1 in parts of the gray pictures', both pooled over the group; below 1 is better than gray."""
    colorfulness_ratio: float
    """Colorfulness in parts of the truth's."""
    colorfulness_difference: float
    psnr_gain: float
    """dB over the gray picture."""
    vividness: tuple[float, ...]
    """Shares of pixels by chroma magnitude."""


@dataclass(frozen=True, slots=True)
class Group:
    """A set, or several."""

    name: str
    sets: tuple[str, ...]
    pictures: int
    gray: GroupRendering
    truth: GroupRendering
    models: Mapping[str, GroupRendering]

    def renderings(self) -> tuple[tuple[str, GroupRendering], ...]:
        """Return gray, the models, and the truth, in the order of tables."""
        return (("gray", self.gray), *self.models.items(), ("truth", self.truth))


def groups(pictures: Sequence[MeasuredPicture]) -> tuple[Group, ...]:
    """Sum up: all pictures, the historical sets if there are any, then each set by name."""
    sets = sorted({one.set for one in pictures})
    named = {OVERALL: sets, HISTORICAL: [name for name in sets if name in HISTORICAL_SETS]}
    found = [_group(name, members, pictures) for name, members in named.items() if members]
    return (*found, *(_group(name, [name], pictures) for name in sets))


def _group(name: str, sets: Sequence[str], pictures: Sequence[MeasuredPicture]) -> Group:
    members = [one for one in pictures if one.set in sets]
    gray, truth = [one.gray for one in members], [one.truth for one in members]
    models = {model: [one.models[model] for one in members] for model in members[0].models}
    return Group(
        name=name,
        sets=tuple(sets),
        pictures=len(members),
        gray=_rendering(gray, gray, truth),
        truth=_rendering(truth, gray, truth),
        models={model: _rendering(made, gray, truth) for model, made in models.items()},
    )


def _rendering(
    made: Sequence[PictureRendering], gray: Sequence[PictureRendering], truth: Sequence[PictureRendering]
) -> GroupRendering:
    figures, beside, true = (mean([one.figures for one in column]) for column in (made, gray, truth))
    counts = np.sum([one.counts for one in made], axis=0)
    return GroupRendering(
        figures=figures,
        frechet=_frechet(made, truth),
        chroma_ratio=_ratio(figures.chroma_l1, beside.chroma_l1),
        colorfulness_ratio=_ratio(figures.colorfulness, true.colorfulness),
        colorfulness_difference=figures.colorfulness - true.colorfulness,
        psnr_gain=figures.psnr - beside.psnr,
        vividness=shares(counts),
    )


def _ratio(part: float, whole: float) -> float:
    return part / max(whole, 1e-9)


def _frechet(made: Sequence[PictureRendering], truth: Sequence[PictureRendering]) -> float | None:
    if len(made) < LEAST_PICTURES:
        return None
    first, second = (np.stack([one.pooled for one in column]) for column in (made, truth))
    return frechet_distance(first, second)
