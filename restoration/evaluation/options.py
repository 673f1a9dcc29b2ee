"""Options of an evaluation, and the listeners that it reports to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.luma import Float, Gray
from restoration.evaluation.metrics import MIN_SIDE
from restoration.evaluation.pictures import Half, ReferencePicture
from restoration.recipe import MAX_STRENGTH, Preset

STRENGTHS = tuple(round(0.1 * tenths, 1) for tenths in range(5, 17))
"""Strengths at which error and colorfulness are measured."""

BLOTCH_LIMIT = 0.001
"""Maximum share of blotches, pixels with more chroma than training pictures have, in a picture."""

EvaluationProgress = Callable[[str, int, int], None]
"""Called with the name of the work, the number of items done, and the number of items."""


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """Options of an evaluation.

    Raises ValueError if a value is out of its range.
    """

    half: Half = Half.TEST
    side: int = 256
    """Longer side of a picture, pixels; smaller pictures are not enlarged."""
    preset: Preset = Preset.FAST
    strength: float = 1.0
    """Gain of the chroma."""
    confidence: bool = True
    """True if the confidence is computed and compared with the error."""
    tiling: bool = False
    """True if seams are measured."""
    blotch_threshold: float | None = None
    """Chroma magnitude beyond which color is a blotch; None: measured on the training pictures, if any."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.side < MIN_SIDE:
            raise ValueError(f"the side must be at least {MIN_SIDE} pixels, not {self.side}")
        if not 0 <= self.strength <= MAX_STRENGTH:
            raise ValueError(f"strength must be in [0, {MAX_STRENGTH:g}], not {self.strength}")
        if self.blotch_threshold is not None and not 0 < self.blotch_threshold < 1:
            raise ValueError(f"the blotch threshold must be in (0, 1), not {self.blotch_threshold}")


def silent(_what: str, _done: int, _total: int) -> None:
    """Ignore the progress."""


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """A picture as one model colors it."""

    rgb: NDArray[np.uint8]
    """sRGB (H, W, 3), uint8."""
    error: Float
    """Distance (H, W) of the chroma from the truth."""
    confidence: Float | None
    """Confidence (H, W) in [0, 1]; None if it was not computed."""


class PictureListener:
    """Receives every picture once, to draw it; this one ignores them."""

    def picture(self, reference: ReferencePicture, made: Mapping[str, ModelOutput]) -> None:
        """Receive a true picture and its gray copy as each model colors it."""

    def scan(self, name: str, gray: Gray, made: Mapping[str, NDArray[np.uint8]]) -> None:
        """Receive the gray copy (H, W) of a scan, uint8, and as each model colors it (H, W, 3), uint8."""
