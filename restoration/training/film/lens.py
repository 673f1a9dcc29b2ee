"""Vignetting and blur by the lens."""

from __future__ import annotations

import numpy as np

from restoration.training.film.emulsion import LIGHT_STEPS, Light
from restoration.training.film.scanning import soften


def through_lens(light: Light, vignette: float, blur: float) -> Light:
    """Return light (H, W), uint16, less the fraction `vignette` in the corners, blurred by `blur` pixels.

    The loss grows with the square of the distance from the center, as in the cosine-fourth law near the axis.
    """
    if not (vignette or blur):
        return light
    bent = light.astype(np.float32)
    if vignette:
        rows, columns = (np.linspace(-1.0, 1.0, side, dtype=np.float32) ** 2 for side in light.shape)
        half = np.float32(vignette / 2)
        bent *= (1 - half * rows)[:, None] - half * columns
    if blur:
        bent = soften(bent, blur)
    np.minimum(bent, LIGHT_STEPS, out=bent)
    return bent.astype(np.uint16)
