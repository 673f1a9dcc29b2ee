"""How far one rendering of a picture is from the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.lab import lab
from restoration.evaluation.features import Features, feature_distance
from restoration.evaluation.ssim import ssim
from restoration.evaluation.vividness import share_beyond
from restoration.training.dataset import chroma_of
from restoration.training.metrics import ciede2000, colorfulness

MOST_DECIBELS = 60.0
"""PSNR of equal pictures, whose own would be infinite."""


@dataclass(frozen=True, slots=True)
class RenderingMetrics:
    """The figures of one rendering of one picture, or their mean over many."""

    psnr: float
    """dB, of RGB; at most 60."""
    ssim: float
    """Of RGB, 1 for equal pictures."""
    chroma_l1: float
    """Mean |Cb| and |Cr| error, in units in which the full range of each is 1."""
    ciede2000: float
    """Mean color difference."""
    colorfulness: float
    """Hasler & Suesstrunk 2003."""
    feature_distance: float
    """EfficientNet-Lite0 feature distance."""
    blotches: float | None
    """Share of pixels whose chroma exceeds that of the training pictures; None if that is not known."""


@dataclass(frozen=True, slots=True)
class PictureWithFeatures:
    """A rendering, RGB bytes (H, W, 3), with what the network sees in it."""

    rgb: NDArray[np.uint8]
    features: Features


def rendering_metrics(
    made: PictureWithFeatures, true: PictureWithFeatures, threshold: float | None
) -> RenderingMetrics:
    """Compare a rendering with the truth; beyond `threshold` chroma magnitude lie blotches."""
    first, second = (one.rgb.astype(np.float32) / 255.0 for one in (made, true))
    error = max(float(np.mean((first - second) ** 2)), 10 ** (-MOST_DECIBELS / 10))
    return RenderingMetrics(
        psnr=-10.0 * float(np.log10(error)),
        ssim=ssim(made.rgb, true.rgb),
        chroma_l1=chroma_l1(made.rgb, true.rgb),
        ciede2000=float(ciede2000(lab(first), lab(second)).mean()),
        colorfulness=colorfulness(first),
        feature_distance=feature_distance(made.features, true.features),
        blotches=None if threshold is None else share_beyond(made.rgb, threshold),
    )


def chroma_l1(made: NDArray[np.uint8], true: NDArray[np.uint8]) -> float:
    """Return the mean absolute error of Cb and Cr of RGB bytes (H, W, 3)."""
    return float(np.abs(chroma_of(made) - chroma_of(true)).mean())


def mean(figures: Sequence[RenderingMetrics]) -> RenderingMetrics:
    """Return the mean of each figure; each picture weighs alike."""
    means: dict[str, float | None] = {}
    for field in fields(RenderingMetrics):
        values = [getattr(one, field.name) for one in figures]
        means[field.name] = None if None in values else float(np.mean(values))
    return RenderingMetrics(**means)  # type: ignore[arg-type]
