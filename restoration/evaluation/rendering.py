"""What users get of a gray picture: the product's own way from luminance to colored bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from restoration.arrays import resample
from restoration.arrays.luma import Float, Gray, rgb_with_luma
from restoration.colorize.guided_filter import Upsampler
from restoration.colorize.inference import colorize
from restoration.colorize.plan import guide_side
from restoration.generators.loaded_model import LoadedModel
from restoration.recipe import Preset


def predicted_chroma(gray: Gray, preset: Preset, model: LoadedModel) -> Float:
    """Return Cb and Cr (2, H, W) in [-0.5, 0.5] that `restore` would lay on a gray picture (H, W), uint8."""
    luminance = copy_of(gray, preset)
    field = colorize(luminance, preset, model.spec, model.engine)
    return laid_on(field.chroma, luminance, gray)


def copy_of(gray: Gray, preset: Preset) -> Float:
    """Return the luminance copy (h, w) in [0, 1] of a gray picture that its colors are inferred for."""
    luminance = luminance_of(gray)
    height, width = gray.shape
    guide = guide_side(preset, height, width)
    if max(height, width) <= guide:
        return luminance
    return resample.reduce(luminance, *resample.fit(height, width, guide))


def laid_on(chroma: Float, luminance: Float, gray: Gray) -> Float:
    """Enlarge chroma (2, h, w) to the picture (H, W), guided by its luminance copy."""
    return Upsampler.solve(chroma, luminance, *gray.shape).rows(0, gray)


def luminance_of(gray: Gray) -> Float:
    """Return the luminance in [0, 1] of gray bytes."""
    return gray.astype(np.float32) / np.float32(255)


def colored(gray: Gray, chroma: Float, strength: float = 1.0) -> NDArray[np.uint8]:
    """Return RGB bytes (H, W, 3) of which the luma is `gray` exactly."""
    cb, cr = np.clip(chroma * np.float32(strength), -0.5, 0.5)
    return np.asarray(rgb_with_luma(gray, cb, cr), dtype=np.uint8)


def left_gray(gray: Gray) -> NDArray[np.uint8]:
    """Return the picture as it was, as RGB bytes."""
    return np.repeat(np.asarray(gray, dtype=np.uint8)[..., None], 3, axis=2)
