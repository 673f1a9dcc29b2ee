"""Toning and yellowing of a print, its color scan, and the removal of the tone.

The print is simulated as an RGB scan and reduced to luminance as the product does, so that training data
resemble what the model will get.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restoration.masters.monochrome import luminance_plane
from restoration.training.film.development import Gray

# A toner weakens the density seen through red and strengthens that seen through blue; on encoded tones a
# change of density is an exponent. In full sepia a middle gray is brown.
_SEPIA = np.array([-0.28, 0.0, 0.36], np.float32)
# What full yellowing takes from white paper in red, green and blue.
_YELLOW = np.array([0.04, 0.12, 0.35], np.float32)
_PATCHES = 4
_RAMP = np.arange(256, dtype=np.float32)[:, None] / 255


@dataclass(frozen=True, slots=True)
class Toning:
    """Strength of sepia, of yellowed paper, and of yellow patches on it; 0 to 1 each."""

    sepia: float = 0.0
    yellowing: float = 0.0
    stain: float = 0.0


def toned(gray: Gray, toning: Toning, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the scan (H, W, 3), sRGB uint8, of a gray print (H, W) in [0, 1], toned and yellowed.

    `rng` draws the patches of a stain only.
    """
    inks, codes = _inks(toning), _codes(gray)
    if not toning.stain:
        return np.asarray(np.rint(inks).astype(np.uint8)[codes])
    patches = _patches(gray.shape, rng)[..., None] * (np.float32(toning.stain) * _YELLOW)
    np.subtract(1, patches, out=patches)
    patches *= inks.take(codes, axis=0)
    return np.asarray(np.rint(patches, out=patches).astype(np.uint8))


def tone_removed(rgb: NDArray[np.uint8]) -> Gray:
    """Return the luminance (H, W), float32 in [0, 1], of a scan (H, W, 3), uint8, as the product does."""
    gray = luminance_plane(np.moveaxis(rgb, -1, 0).astype(np.float32))
    gray /= np.float32(255)
    return np.minimum(gray, 1.0, out=gray)


def toned_and_removed(gray: Gray, toning: Toning, rng: np.random.Generator) -> Gray:
    """Return the luminance (H, W) of the toned scan of a gray print (H, W): `tone_removed(toned(...))`."""
    if toning.stain:
        return tone_removed(toned(gray, toning, rng))
    # without patches each of the 256 tones has one color everywhere
    colors = np.rint(_inks(toning)).astype(np.uint8)
    return np.asarray(tone_removed(colors[None])[0].take(_codes(gray)))


def _inks(toning: Toning) -> Gray:
    """Return red, green and blue (256, 3), 0 to 255, of each tone of the print."""
    powers = 1 + np.float32(toning.sepia) * _SEPIA
    return np.asarray(_RAMP**powers * ((1 - np.float32(toning.yellowing) * _YELLOW) * 255), np.float32)


def _codes(gray: Gray) -> NDArray[np.uint8]:
    return np.asarray(np.rint(gray * np.float32(255)), np.uint8)


def _patches(shape: tuple[int, ...], rng: np.random.Generator) -> Gray:
    height, width = shape
    coarse = Image.fromarray(rng.random((_PATCHES, _PATCHES), dtype=np.float32) * 1.6 - 0.4)
    field = np.array(coarse.resize((width, height), Image.Resampling.BICUBIC))
    return np.clip(field, 0.0, 1.0, out=field)
