"""How well a generator foretells on held-out pictures where its colors are wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from restoration.arrays.lab import shown_rgb
from restoration.training.metrics import HeldOutPicture, Predict, chroma_error
from restoration.training.rank_correlation import sampled_pixels, spearman


def error_correlation(predict: Predict, against: Sequence[HeldOutPicture]) -> float:
    """Return Spearman's correlation of the foretold with the true distance of the chroma; 0 if one is flat.

    `predict` gives (N, 3, H, W): Cb, Cr and the distance. The pixels, one in eight of each picture, all
    count alike; the colors are those within the gamut.
    """
    foretold, true = [], []
    for place, one in enumerate(against):
        planes = predict(one.luma[None])[0]
        shown = np.rint(255.0 * shown_rgb(one.luma, planes[:2])).astype(np.uint8)
        error = chroma_error(shown, one.rgb).ravel()
        some = sampled_pixels(error.size, place)
        foretold.append(planes[2].ravel()[some])
        true.append(error[some])
    return spearman(np.concatenate(foretold), np.concatenate(true)) or 0.0
