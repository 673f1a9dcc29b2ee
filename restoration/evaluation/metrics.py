"""Metrics of a rendering of a picture against the true picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.lab import lab
from restoration.evaluation.chroma_histogram import share_beyond
from restoration.evaluation.features import Features, feature_distance
from restoration.training.dataset import chroma_of
from restoration.training.metrics import ciede2000, colorfulness, require_scikit_image

MIN_SIDE = 11
"""Side of the window of SSIM, pixels; pictures must not be smaller."""

MAX_PSNR = 60.0
"""dB; the PSNR of equal pictures would be infinite."""


@dataclass(frozen=True, slots=True)
class RenderingMetrics:
    """Metrics of one rendering of one picture, or their means over several pictures."""

    psnr: float
    """dB, of RGB; at most 60."""
    ssim: float
    """Of RGB, 1 for equal pictures."""
    chroma_l1: float
    """Mean |Cb| and |Cr| error, in units in which the full range of each is 1."""
    ciede2000: float
    """Mean color difference."""
    colorfulness: float
    """Hasler & Süsstrunk 2003."""
    feature_distance: float
    """See `features.feature_distance`."""
    blotches: float | None
    """Share of pixels with more chroma than training pictures have; None if that threshold is unknown."""


@dataclass(frozen=True, slots=True)
class PictureWithFeatures:
    """An sRGB picture (H, W, 3), uint8, with its network features."""

    rgb: NDArray[np.uint8]
    features: Features


def rendering_metrics(
    made: PictureWithFeatures, true: PictureWithFeatures, threshold: float | None
) -> RenderingMetrics:
    """Compare a rendering with the truth; pixels with a chroma magnitude above `threshold` are blotches."""
    first, second = (one.rgb.astype(np.float32) / 255.0 for one in (made, true))
    error = max(float(np.mean((first - second) ** 2)), 10 ** (-MAX_PSNR / 10))
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
    """Return the mean absolute error of Cb and Cr of two sRGB pictures (H, W, 3), uint8."""
    return float(np.abs(chroma_of(made) - chroma_of(true)).mean())


def mean_of_metrics(figures: Sequence[RenderingMetrics]) -> RenderingMetrics:
    """Return the mean of each metric over pictures; None where one of them is unknown."""
    means: dict[str, float | None] = {}
    for field in fields(RenderingMetrics):
        values = [getattr(one, field.name) for one in figures]
        means[field.name] = None if None in values else float(np.mean(values))
    return RenderingMetrics(**means)  # type: ignore[arg-type]


def ssim(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Structural similarity of two pictures (H, W, C), uint8, in [-1, 1]; 1 for equal pictures.

    Wang et al. 2004: a Gaussian window of 11 x 11 with sigma 1.5, K 0.01 and 0.03, averaged over all
    positions of the window inside the picture and over the channels. Raises ValueError for sides below 11
    pixels, TrainingError if scikit-image is not installed.
    """
    require_scikit_image()
    from skimage.metrics import structural_similarity  # noqa: PLC0415  (an extra)

    similarity = structural_similarity(  # type: ignore[no-untyped-call]
        first,
        second,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=-1,
    )
    return float(similarity)
