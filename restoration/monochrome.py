"""Whether a picture is monochrome, told from its content: gray, toned or color.

However a print was toned or has yellowed, its chroma is nearly a function of its luminance: a curve, not a
cloud. So the curve is estimated (medians over luminance bins) and the distance from it measured on a copy
small enough to average noise of color away. Stains and fading spread chroma too, but along one hue; a picture
may therefore stray further along the main axis of its distances if it hardly leaves that axis.

The thresholds were set on 86 scans of monochrome prints and negatives (all pass, the furthest at 7.0 steps)
and 377 color pictures, where one of the few that pass is in truth a sepia print.
"""

from pathlib import Path

import numpy as np

from restoration import color, resample
from restoration.color import Float
from restoration.errors import AlreadyColor
from restoration.outcome import Tone, ToneKind

LONG_SIDE = 64
"""Pixels of the copy that is looked at."""

_WEIGHTS = (0.299, 0.587, 0.114)
_STEP = 1 / 255
_GRAY = 1.5 * _STEP
_NEAR, _MOST = 2.1 * _STEP, 3.6 * _STEP
_OFF_AXIS, _ALONG_AXIS = 1.0 * _STEP, 8.0 * _STEP


def tone_of(planes: Float) -> Tone:
    """Return the tone of color planes (C, H, W) in [0, 1], C 1 or 3; larger pictures are reduced first."""
    if planes.shape[0] == 1:
        return Tone(ToneKind.GRAY, 0.0, 0.0, 0.0)
    height, width = planes.shape[1:]
    if max(height, width) > LONG_SIDE:
        planes = resample.reduce(planes, *resample.fit(height, width, LONG_SIDE))
    rgb = np.moveaxis(planes, 0, -1)
    chroma = color.chroma(rgb).reshape(2, -1)
    luminance = luminance_of(planes).ravel()
    strays = chroma - _curve(luminance, chroma)
    distance = np.hypot(*strays)
    near, most = np.percentile(distance, [90, 98])
    cb, cr = (float(np.median(plane)) for plane in chroma)
    return Tone(_kind(chroma, strays, float(near), float(most)), cb, cr, float(most))


def luminance_of(planes: Float) -> Float:
    """Return the luminance (H, W) in [0, 1] of color planes (C, H, W), C 1 or 3."""
    if planes.shape[0] == 1:
        return np.asarray(planes[0], np.float32)
    weights = np.array(_WEIGHTS, np.float32)
    return np.asarray(np.einsum("c,chw->hw", weights, planes), np.float32)


def require_monochrome(tone: Tone, path: Path) -> None:
    """Raise AlreadyColor for a color picture."""
    if tone.kind is ToneKind.COLOR:
        raise AlreadyColor(
            reason=f"this is already a color picture (its color strays {tone.spread * 255:.0f} of 255 steps "
            "from a single tone)",
            remedy="if it is a monochrome scan with colored parts, crop it or scan it in gray",
            path=path,
        )


def _curve(luminance: Float, chroma: Float) -> Float:
    """Return the chroma (2, N) that the luminance (N,) alone would predict."""
    bins = int(np.clip(luminance.size // 32, 1, 16))
    parts = np.array_split(np.argsort(luminance, kind="stable"), bins)
    centers = [float(np.median(luminance[part])) for part in parts]
    predicted = [
        np.interp(luminance, centers, [np.median(plane[part]) for part in parts]) for plane in chroma
    ]
    return np.stack(predicted).astype(np.float32)


def _kind(chroma: Float, strays: Float, near: float, most: float) -> ToneKind:
    if np.percentile(np.hypot(*chroma), 98) <= _GRAY:
        return ToneKind.GRAY
    if near <= _NEAR and most <= _MOST:
        return ToneKind.TONED
    _, axes = np.linalg.eigh(strays @ strays.T)
    off_axis = np.percentile(np.abs(axes[:, 0] @ strays), 90)
    return ToneKind.TONED if off_axis <= _OFF_AXIS and most <= _ALONG_AXIS else ToneKind.COLOR
