"""Monochrome test: classify a picture as gray, toned or color from its pixels.

A toned or yellowed print is still monochrome: its chroma is nearly a function of its luminance. That function
(the tone curve in chroma) is estimated on a small copy, by medians over luminance bins. What remains after
subtracting it are the chroma residuals. Six measures separate a tone from color:

smoothed     Residuals averaged over neighbors. Noise of film, scanner and JPEG cancels out; object colors do
             not.
across_axis  Residuals across a line between blue and yellow-brown.
along_axis   Residuals along that line. Stains and fading lie along it, so more is allowed; still more on
             light, yellowed paper, whose stains have several browns.
hue_change   A tone has one hue, or runs from one hue to its opposite (split tone).
curvature    A tone is never vivid between shadows and highlights. A few flat colors are a function of
             luminance as well, but bend the curve.
vivid_share  Share of strongly colored pixels. A stamp passes; a color target or a traffic light does not.

`benchmarks/monochrome.py` chooses the thresholds on one half of 4,500 pictures and tests them on the other
half. Of the held-out half, these were classified as monochrome::

    42 of    42 scans of monochrome prints and negatives
    34 of    36 drawings, engravings and portraits on toned paper, found among the color pictures by eye
   482 of   492 simulated prints: gray, sepia, cyanotype, split tone, selenium, gold; stained, noisy, as JPEG
     6 of 2,181 color pictures: photographs, clothes and objects in nearly one hue
     1 of   246 simulated color pictures: hand-tinted prints, posters, prints beside a color target

`curvature` and `vivid_share` are set wider than the benchmark chooses: its data contain no strong cyanotypes
and no stamps.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from restoration.arrays import luma, resample
from restoration.arrays.box_mean import box_mean
from restoration.arrays.luma import Float
from restoration.errors import AlreadyColor
from restoration.masters.facts import Tone, ToneKind

LONG_SIDE = 64
"""Longer side, in pixels, of the copy that is measured."""

_WEIGHTS = (0.299, 0.587, 0.114)
_STEP = 1 / 255
_GRAY = 1.5 * _STEP
_RADIUS = 2
"""Residuals are averaged over squares of 5 x 5 pixels of the copy."""
_DARKEST = 0.06
"""Luminance up to which no color counts as vivid."""
_VIVID = 25.0
_STRONG_TONE, _STRONG_TONE_ALLOWANCE = 25.0, (1 / 25, 1 / 8)
"""Curvature from which a tone is as strong as a cyanotype's, and how much more is allowed across and along
the axis for each step beyond it."""
_LIGHT, _YELLOWED = 0.5, 14.0
"""Least median luminance, and least median yellow-brown chroma in 255ths, of old paper."""
_YELLOWED_SLOPE, _YELLOWED_BASE = 0.1, 0.8
"""On yellowed paper: what is allowed across the axis for each step along it, and the factor on the rest."""
_YELLOW = np.array([math.cos(math.radians(145)), math.sin(math.radians(145))], np.float32)
_STEEPEST = 1.2
"""Largest change of chroma with luminance in a tone; from red ink to white paper it is 0.75."""
_STAIN_ANGLES = (120.0, 165.0)
"""Range of the angle of (Cb, Cr), degrees, of the axis that stains follow."""


@dataclass(frozen=True, slots=True)
class ChromaResiduals:
    """The measures that separate a tone from color, described above; chroma in 255ths of its range."""

    smoothed: float
    """Smoothed residual, 98th percentile."""
    across_axis: float
    """Distance from the stain axis, 98th percentile."""
    along_axis: float
    """Distance along the stain axis, 98th percentile."""
    hue_change: float
    """Distance of the curve from the line of one hue or of two opposite hues, 95th percentile."""
    curvature: float
    """Distance of the curve from the straight line between shadows and highlights, 95th percentile, or by how
    much that line is too steep."""
    yellowed: bool
    """True if most pixels are light and yellow-brown, like old paper."""
    vivid_share: float
    """Share of the pixels that are not black with a residual above `_VIVID`."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Upper limits for a monochrome picture.

    The last three must hold, and either the first or the two after it.
    """

    smoothed: float
    across_axis: float
    along_axis: float
    hue_change: float
    curvature: float
    vivid_share: float

    def allow(self, residuals: ChromaResiduals) -> bool:
        """Return whether a picture with these residuals is monochrome."""
        one_tone = (
            residuals.hue_change <= self.hue_change
            and residuals.curvature <= self.curvature
            and residuals.vivid_share <= self.vivid_share
        )
        # Where the copy averages several tones, their mean is beside a bent curve.
        excess = max(0.0, residuals.curvature - _STRONG_TONE)
        across = self.across_axis + _STRONG_TONE_ALLOWANCE[0] * excess
        along = self.along_axis + _STRONG_TONE_ALLOWANCE[1] * excess
        if residuals.yellowed:  # stains of old paper have several browns
            across += _YELLOWED_SLOPE * residuals.along_axis - (1 - _YELLOWED_BASE) * self.across_axis
        stained = residuals.across_axis <= across and residuals.along_axis <= along
        return one_tone and (residuals.smoothed <= self.smoothed or stained)


THRESHOLDS: Final = Thresholds(
    smoothed=2.75, across_axis=1.0, along_axis=10.0, hue_change=12.0, curvature=45.0, vivid_share=0.02
)
"""As chosen by `benchmarks/monochrome.py`."""


def measure_tone(planes: Float) -> Tone:
    """Return the tone of color planes (C, H, W), float32 in [0, 1], C 1 or 3, at any size."""
    if planes.shape[0] == 1:
        return Tone(ToneKind.GRAY, 0.0, 0.0, 0.0)
    planes = _reduced(planes)
    chroma = luma.chroma(np.moveaxis(planes, 0, -1)).reshape(2, -1)
    cb, cr = (float(np.median(plane)) for plane in chroma)
    residuals = chroma_residuals(planes)
    spread = _spread(residuals) * _STEP
    if np.percentile(np.hypot(*chroma), 98) <= _GRAY and residuals.vivid_share <= THRESHOLDS.vivid_share:
        return Tone(ToneKind.GRAY, cb, cr, spread)
    return Tone(ToneKind.TONED if THRESHOLDS.allow(residuals) else ToneKind.COLOR, cb, cr, spread)


def chroma_residuals(planes: Float) -> ChromaResiduals:
    """Return the chroma residuals of color planes (3, H, W), float32 in [0, 1], at any size."""
    planes = _reduced(planes)
    height, width = planes.shape[1:]
    chroma = luma.chroma(np.moveaxis(planes, 0, -1)).reshape(2, -1) / _STEP
    luminance = luminance_plane(planes).ravel()
    curve = _chroma_curve(luminance, chroma)
    residuals = chroma - curve
    bright = luminance > _DARKEST
    vivid = (np.hypot(*residuals) > _VIVID) & bright
    smooth = np.stack([box_mean(plane.reshape(height, width), _RADIUS).ravel() for plane in residuals])
    across, along = _stain_axis_distances(smooth)
    hue_change, curvature = _curve_shape(luminance, curve)
    return ChromaResiduals(
        smoothed=float(np.percentile(np.hypot(*smooth), 98)),
        across_axis=float(np.percentile(across, 98)),
        along_axis=float(np.percentile(along, 98)),
        hue_change=hue_change,
        curvature=curvature,
        yellowed=bool(np.median(luminance) >= _LIGHT and np.median(_YELLOW @ chroma) >= _YELLOWED),
        vivid_share=float(vivid.sum() / max(1, bright.sum())),
    )


def luminance_plane(planes: Float) -> Float:
    """Return the luminance (H, W), float32 in [0, 1], of color planes (C, H, W) in [0, 1], C 1 or 3.

    The weights are those of ITU-R BT.601.
    """
    if planes.shape[0] == 1:
        return np.asarray(planes[0], np.float32)
    weights = np.array(_WEIGHTS, np.float32)
    return np.asarray(np.einsum("c,chw->hw", weights, planes), np.float32)


def require_monochrome(tone: Tone, path: Path) -> None:
    """Raise AlreadyColor for a color picture."""
    if tone.kind is ToneKind.COLOR:
        raise AlreadyColor(
            reason=f"this is already a color picture (its color deviates {tone.spread * 255:.0f} of 255 "
            "steps from a single tone)",
            remedy="if it is a monochrome scan with colored parts, crop it or scan it in gray",
            path=path,
        )


def _spread(residuals: ChromaResiduals) -> float:
    """Return the largest distance from a single tone among the measures that exceed their threshold."""
    exceeded = (
        (residuals.hue_change, residuals.hue_change > THRESHOLDS.hue_change),
        (residuals.curvature, residuals.curvature > THRESHOLDS.curvature),
        (_VIVID, residuals.vivid_share > THRESHOLDS.vivid_share),
    )
    return max(residuals.smoothed, *(value if counts else 0.0 for value, counts in exceeded))


def _reduced(planes: Float) -> Float:
    height, width = planes.shape[1:]
    if max(height, width) <= LONG_SIDE:
        return planes
    return resample.reduce(planes, *resample.fit(height, width, LONG_SIDE))


def _chroma_curve(luminance: Float, chroma: Float) -> Float:
    """Return the chroma (2, N) predicted from the luminance (N,) alone."""
    bins = int(np.clip(luminance.size // 32, 1, 32))
    parts = np.array_split(np.argsort(luminance, kind="stable"), bins)
    centers = [float(np.median(luminance[part])) for part in parts]
    predicted = [
        np.interp(luminance, centers, [np.median(plane[part]) for part in parts]) for plane in chroma
    ]
    return np.stack(predicted).astype(np.float32)


def _stain_axis_distances(residuals: Float) -> tuple[Float, Float]:
    """Return the distances of residuals (2, N) across and along their main axis, two arrays (N,).

    The angle of the axis is limited to that of stains.
    """
    _, axes = np.linalg.eigh(residuals @ residuals.T)
    angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1])) % 180
    angle = math.radians(min(max(angle, _STAIN_ANGLES[0]), _STAIN_ANGLES[1]))
    rotation = np.array([[-math.sin(angle), math.cos(angle)], [math.cos(angle), math.sin(angle)]], np.float32)
    across, along = np.abs(rotation @ residuals)
    return across, along


def _curve_shape(luminance: Float, curve: Float) -> tuple[float, float]:
    """Return the hue change and the curvature of a chroma curve (2, N) over luminance (N,)."""
    centered = curve - curve.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(centered @ centered.T)
    hue_change = np.percentile(np.abs(axes[:, 0] @ centered), 95)
    dark, light = int(luminance.argmin()), int(luminance.argmax())
    span = max(float(luminance[light] - luminance[dark]), 1e-6)
    part = (luminance - luminance[dark]) / span
    straight = curve[:, dark, None] * (1 - part) + curve[:, light, None] * part
    bend = np.percentile(np.hypot(*(curve - straight)), 95)
    steep = np.hypot(*(curve[:, light] - curve[:, dark])) - _STEEPEST * span / _STEP
    return float(hue_change), float(max(bend, steep))
