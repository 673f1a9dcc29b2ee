"""Coloring of gray pictures in memory, with the steps of the product."""

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
    """Return the Cb and Cr (2, H, W) in [-0.5, 0.5] of `restore` for a gray picture (H, W), uint8."""
    luminance = luminance_copy(gray, preset)
    field = colorize(luminance, preset, model.spec, model.engine)
    return upsampled_chroma(field.chroma, luminance, gray)


def luminance_copy(gray: Gray, preset: Preset) -> Float:
    """Return the reduced luminance (h, w) in [0, 1] of a gray picture, the input of inference."""
    luminance = luminance_of(gray)
    height, width = gray.shape
    guide = guide_side(preset, height, width)
    if max(height, width) <= guide:
        return luminance
    return resample.reduce(luminance, *resample.fit(height, width, guide))


def upsampled_chroma(chroma: Float, luminance: Float, gray: Gray) -> Float:
    """Enlarge chroma (2, h, w) to the size of a picture (H, W), guided by its reduced luminance (h, w)."""
    return Upsampler.solve(chroma, luminance, *gray.shape).rows(0, gray)


def luminance_of(gray: Gray) -> Float:
    """Return the luminance, float32 in [0, 1], of a gray picture, uint8."""
    return gray.astype(np.float32) / np.float32(255)


def colored(gray: Gray, chroma: Float, strength: float = 1.0) -> NDArray[np.uint8]:
    """Return sRGB (H, W, 3), uint8, whose luma is exactly `gray` (H, W), uint8, under chroma (2, H, W)."""
    cb, cr = np.clip(chroma * np.float32(strength), -0.5, 0.5)
    return np.asarray(rgb_with_luma(gray, cb, cr), dtype=np.uint8)


def left_gray(gray: Gray) -> NDArray[np.uint8]:
    """Return a gray picture (H, W) as sRGB (H, W, 3), uint8."""
    return np.repeat(np.asarray(gray, dtype=np.uint8)[..., None], 3, axis=2)
