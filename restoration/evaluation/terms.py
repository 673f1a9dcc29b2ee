"""Under which terms models are measured, and who is told how far the work is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from restoration.evaluation.pictures import Half
from restoration.evaluation.ssim import LEAST_SIDE
from restoration.recipe import MAX_STRENGTH, Preset

STRENGTHS = tuple(round(0.1 * tenths, 1) for tenths in range(5, 17))
"""Strengths at which the trade between error and colorfulness is drawn."""

BLOTCH_LIMIT = 0.001
"""No picture may have a larger share of pixels beyond the training pictures' chroma."""

EvaluationProgress = Callable[[str, int, int], None]
"""Called with what is worked on, how many are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """How the pictures are shown to the models and how their chroma is laid on.

    Raises ValueError if a value is out of its range.
    """

    half: Half = Half.TEST
    side: int = 256
    """Longer side of a picture, pixels; smaller pictures are not enlarged."""
    preset: Preset = Preset.FAST
    strength: float = 1.0
    """Gain of the chroma."""
    confidence: bool = True
    """Whether the confidence is computed and compared with the error."""
    tiling: bool = False
    """Whether seams are looked for."""
    blotch_threshold: float | None = None
    """Chroma magnitude beyond which color is a blotch; None: from the training pictures, if there are any."""

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if self.side < LEAST_SIDE:
            raise ValueError(f"the side must be at least {LEAST_SIDE} pixels, not {self.side}")
        if not 0 <= self.strength <= MAX_STRENGTH:
            raise ValueError(f"strength must lie in [0, {MAX_STRENGTH:g}], not {self.strength}")
        if self.blotch_threshold is not None and not 0 < self.blotch_threshold < 1:
            raise ValueError(f"the blotch threshold must lie in (0, 1), not {self.blotch_threshold}")


def silent(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""
