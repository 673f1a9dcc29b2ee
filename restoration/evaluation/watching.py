"""Who looks at the pictures while they are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restoration.arrays.luma import Float, Gray
from restoration.evaluation.pictures import ReferencePicture


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What one model made of a picture."""

    rgb: NDArray[np.uint8]
    """(H, W, 3)"""
    error: Float
    """Distance of the chroma from the truth (H, W)."""
    confidence: Float | None
    """(H, W) in [0, 1], where it was asked for."""


class PictureListener:
    """Is shown every picture once; this one looks away."""

    def picture(self, reference: ReferencePicture, made: Mapping[str, ModelOutput]) -> None:
        """Take a true picture and what each model made of its gray copy."""

    def scan(self, name: str, gray: Gray, made: Mapping[str, NDArray[np.uint8]]) -> None:
        """Take the gray copy (H, W) of a monochrome scan and what each model made of it (H, W, 3)."""
