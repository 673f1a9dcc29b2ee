"""Confidence map: a gray PNG beside the derivative."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from restoration.arrays.luma import Float
from restoration.colorize.predicted_error import CLOSE
from restoration.derivatives import png, xmp
from restoration.results import ConfidenceMap

DOUBTFUL: Final = 0.5
"""Confidence below which a color is more likely wrong than right."""

_LEVEL: Final = 6


def write(path: Path, confidence: Float, made: xmp.Provenance) -> ConfidenceMap:
    """Write confidence (h, w), float32 in [0, 1], as 8-bit gray, 0 for 0 and 255 for 1. Raises OSError.

    The XMP packet names master, model and recipe, and says what the values mean. Its document ID is not that
    of the derivative.
    """
    values = np.rint(confidence * 255).astype(np.uint8)
    height, width = values.shape
    mean = round(float(confidence.mean(dtype=np.float64)), 4)
    doubtful = round(float((confidence < DOUBTFUL).mean()), 4)
    told = {
        "confidenceMean": f"{mean:g}",
        "confidenceDoubtful": f"{doubtful:g}",
        "confidenceScale": f"value / 255 = share of such pixels within {CLOSE:g} of the true Cb and Cr",
    }
    packet = xmp.confidence_packet(replace(made, tags={**made.tags, **told}))
    with path.open("wb") as file:
        stream = png.PngStream(file.write, width, height, chunks=[png.xmp_chunk(packet)], level=_LEVEL)
        stream.add(values[..., None])
        stream.close()
    return ConfidenceMap(path, width, height, mean, doubtful)
