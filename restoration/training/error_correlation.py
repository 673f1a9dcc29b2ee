"""Rank correlation of a generator's predicted error with the true error of its colors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from restoration.arrays.lab import shown_rgb
from restoration.training.metrics import HeldOutPicture, Predict, chroma_error
from restoration.training.rank_correlation import sampled_pixels, spearman


def error_correlation(predict: Predict, against: Sequence[HeldOutPicture]) -> float:
    """Return Spearman's correlation of predicted and true distance of the chroma; 0 if one is constant.

    `predict` returns (N, 3, H, W): Cb, Cr and the predicted distance. One in eight pixels of each picture is
    taken, all with equal weight; the colors are those within the gamut.
    """
    predicted, true = [], []
    for place, one in enumerate(against):
        planes = predict(one.luma[None])[0]
        shown = np.rint(255.0 * shown_rgb(one.luma, planes[:2])).astype(np.uint8)
        error = chroma_error(shown, one.rgb).ravel()
        some = sampled_pixels(error.size, place)
        predicted.append(planes[2].ravel()[some])
        true.append(error[some])
    return spearman(np.concatenate(predicted), np.concatenate(true)) or 0.0
