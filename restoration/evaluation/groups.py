"""Metrics by group of pictures (all, historical sets, each set), and the choice of pictures to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from restoration.evaluation.chroma_histogram import Histogram, displayed_shares
from restoration.evaluation.features import MIN_PICTURES, frechet_distance
from restoration.evaluation.metrics import RenderingMetrics, mean_of_metrics
from restoration.evaluation.pictures import HISTORICAL, HISTORICAL_SETS, OVERALL

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PictureRendering:
    """Everything measured on one rendering of one picture."""

    figures: RenderingMetrics
    pooled: NDArray[np.float32]
    """Pooled network features (1280,)."""
    counts: Histogram
    """Histogram of chroma magnitude."""


@dataclass(frozen=True, slots=True)
class MeasuredPicture:
    """One picture: as gray, as it is, and as each model colors it."""

    name: str
    set: str
    gray: PictureRendering
    truth: PictureRendering
    models: Mapping[str, PictureRendering]


@dataclass(frozen=True, slots=True)
class GroupRendering:
    """Means over a group of pictures for one kind of rendering."""

    figures: RenderingMetrics
    frechet: float | None
    """EfficientNet-Lite0 Fréchet distance from the truth; None for fewer than 30 pictures."""
    chroma_ratio: float
    """Mean chroma L1 relative to that of the gray pictures; below 1 is better than gray."""
    colorfulness_ratio: float
    """Mean colorfulness relative to the truth's."""
    colorfulness_difference: float
    psnr_gain: float
    """dB over the gray picture."""
    vividness: tuple[float, ...]
    """Shares of pixels in the displayed bins of chroma magnitude."""


@dataclass(frozen=True, slots=True)
class Group:
    """One or several sets of pictures."""

    name: str
    sets: tuple[str, ...]
    pictures: int
    gray: GroupRendering
    truth: GroupRendering
    models: Mapping[str, GroupRendering]

    def renderings(self) -> tuple[tuple[str, GroupRendering], ...]:
        """Return gray, the models and the truth, in the order of the tables."""
        return (("gray", self.gray), *self.models.items(), ("truth", self.truth))


def groups(pictures: Sequence[MeasuredPicture]) -> tuple[Group, ...]:
    """Return the groups: all pictures, the historical sets if there are any, then each set by name."""
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
    figures, gray_mean, true_mean = (
        mean_of_metrics([one.figures for one in column]) for column in (made, gray, truth)
    )
    counts = np.sum([one.counts for one in made], axis=0)
    return GroupRendering(
        figures=figures,
        frechet=_frechet(made, truth),
        chroma_ratio=_ratio(figures.chroma_l1, gray_mean.chroma_l1),
        colorfulness_ratio=_ratio(figures.colorfulness, true_mean.colorfulness),
        colorfulness_difference=figures.colorfulness - true_mean.colorfulness,
        psnr_gain=figures.psnr - gray_mean.psnr,
        vividness=displayed_shares(counts),
    )


def _ratio(part: float, whole: float) -> float:
    return part / max(whole, 1e-9)


def _frechet(made: Sequence[PictureRendering], truth: Sequence[PictureRendering]) -> float | None:
    if len(made) < MIN_PICTURES:
        return None
    first, second = (np.stack([one.pooled for one in column]) for column in (made, truth))
    return frechet_distance(first, second)


def worst_and_best(
    pictures: Sequence[MeasuredPicture], model: str, most: int
) -> tuple[tuple[MeasuredPicture, ...], tuple[MeasuredPicture, ...]]:
    """Return at most `most` pictures with the worst, and as many with the best chroma error against gray.

    The most extreme come first; no picture is in both.
    """

    def gain(one: MeasuredPicture) -> tuple[float, str]:
        return one.gray.figures.chroma_l1 - one.models[model].figures.chroma_l1, one.name

    ordered = sorted(pictures, key=gain)
    most = min(most, len(ordered) // 2 or 1)
    return tuple(ordered[:most]), tuple(reversed(ordered[most:][-most:]))


def evenly_spaced(items: Sequence[T], most: int) -> tuple[T, ...]:
    """Return at most `most` items at even distances."""
    if len(items) <= most:
        return tuple(items)
    return tuple(items[(2 * place + 1) * len(items) // (2 * most)] for place in range(most))
