"""Whether a picture is monochrome, told from its content: gray, toned or color.

However a print was toned or has yellowed, its chroma is nearly a function of its luminance: a curve, not a
cloud. The curve is estimated (medians over luminance bins) on a small copy. Four things tell color from tone:

near    How far chroma strays from the curve, averaged over neighbors: noise of film, scanner or JPEG cancels
        out there, the color of things does not.
off     How far it strays from one line, between blue and yellow-brown: stains and fading lie along that line,
        and may stray further; further still on light, yellowed paper, whose stains are of several browns.
turn,   A tone lies along one hue, or runs from one to its opposite (split tones), and is never vivid between
bend    shadows and highlights: few flat colors are a function of luminance, too, but no tone.
vivid   The share of strongly colored pixels: a stamp passes, a color target or a traffic light does not.

`benchmarks/monochrome.py` chooses the thresholds on one half of 4,500 pictures and tries them on the other,
held out: there these were taken for monochrome::

    42 of    42 scans of monochrome prints and negatives
    34 of    36 drawings, engravings and portraits on toned paper, found among the color pictures by eye
   482 of   492 made prints: gray, sepia, cyanotype, split tone, selenium, gold; stained, noisy, as JPEG
     6 of 2,181 color pictures, of photographs, clothes and objects in nearly one hue
     1 of   246 made color: prints tinted by hand, posters of flat colors, prints beside a color target

`bend` and `vivid` are wider than what is chosen: it has met no strong cyanotypes and no stamps.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from restoration.arrays import luma, resample
from restoration.arrays.box_mean import box
from restoration.arrays.luma import Float
from restoration.errors import AlreadyColor
from restoration.masters.facts import Tone, ToneKind

LONG_SIDE = 64
"""Pixels of the copy that is looked at."""

_WEIGHTS = (0.299, 0.587, 0.114)
_STEP = 1 / 255
_GRAY = 1.5 * _STEP
_RADIUS = 2
"""Strays are averaged over squares of 5 x 5 pixels of the copy."""
_DARKEST = 0.06
"""Luminance up to which no color is called vivid."""
_VIVID = 25.0
_BENT, _MIXED = 25.0, (1 / 25, 1 / 8)
"""Bend from which a tone is as strong as a cyanotype's, and what more is allowed off and along from there, in
parts of it."""
_LIGHT, _YELLOWED = 0.5, 14.0
"""Luminance and yellow-brown, in 255ths, of most of a sheet of old paper, at least."""
_BROWNS, _LEAST = 0.1, 0.8
"""Where paper has yellowed: what is allowed off the line for each step along it, and in parts of the rest."""
_YELLOW = np.array([math.cos(math.radians(145)), math.sin(math.radians(145))], np.float32)
_STEEPEST = 1.2
"""By how much chroma changes with luminance in a tone, at most; from red ink to white paper it is 0.75."""
_STAIN = (120.0, 165.0)
"""Angles of (Cb, Cr), degrees, between which the line lies that stains stray along."""


@dataclass(frozen=True, slots=True)
class Strays:
    """By what a tone is told from color; chroma in 255ths of its range."""

    near: float
    """How far chroma strays from the curve, at 98 of 100 pixels."""
    off: float
    """How far at most from a line between blue and yellow-brown, at 98 of 100."""
    along: float
    """How far along that line, at 98 of 100."""
    turn: float
    """How far the curve leaves the straight line of one hue or of two opposite ones, at 95 of 100."""
    bend: float
    """How far it leaves the straight way from shadows to highlights, or how much too steep that is."""
    yellowed: bool
    """Whether most of it is light and yellow-brown, as old paper is."""
    vivid: float
    """Share of pixels, other than black ones, that stray by more than `_VIVID`."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Up to what a picture is monochrome: all of the last three, and either the first or the two after it."""

    near: float
    off: float
    along: float
    turn: float
    bend: float
    vivid: float

    def hold(self, strays: Strays) -> bool:
        """Return whether a picture with those strays is monochrome."""
        one_tone = strays.turn <= self.turn and strays.bend <= self.bend and strays.vivid <= self.vivid
        # Where a copy mixes tones, their mean lies beside a bent curve.
        bent = max(0.0, strays.bend - _BENT)
        off, along = self.off + _MIXED[0] * bent, self.along + _MIXED[1] * bent
        if strays.yellowed:  # stains of old paper are of several browns
            off += _BROWNS * strays.along - (1 - _LEAST) * self.off
        stained = strays.off <= off and strays.along <= along
        return one_tone and (strays.near <= self.near or stained)


THRESHOLDS: Final = Thresholds(near=2.75, off=1.0, along=10.0, turn=12.0, bend=45.0, vivid=0.02)
"""As `benchmarks/monochrome.py` chooses them."""


def tone_of(planes: Float) -> Tone:
    """Return the tone of color planes (C, H, W) in [0, 1], C 1 or 3; larger pictures are reduced first."""
    if planes.shape[0] == 1:
        return Tone(ToneKind.GRAY, 0.0, 0.0, 0.0)
    planes = _copy(planes)
    chroma = luma.chroma(np.moveaxis(planes, 0, -1)).reshape(2, -1)
    cb, cr = (float(np.median(plane)) for plane in chroma)
    strays = strays_of(planes)
    spread = _spread(strays) * _STEP
    if np.percentile(np.hypot(*chroma), 98) <= _GRAY and strays.vivid <= THRESHOLDS.vivid:
        return Tone(ToneKind.GRAY, cb, cr, spread)
    return Tone(ToneKind.TONED if THRESHOLDS.hold(strays) else ToneKind.COLOR, cb, cr, spread)


def strays_of(planes: Float) -> Strays:
    """Return how far the colors of planes (3, H, W) in [0, 1] stray from one tone."""
    planes = _copy(planes)
    height, width = planes.shape[1:]
    chroma = luma.chroma(np.moveaxis(planes, 0, -1)).reshape(2, -1) / _STEP
    luminance = luminance_of(planes).ravel()
    curve = _curve(luminance, chroma)
    strays = chroma - curve
    bright = luminance > _DARKEST
    vivid = (np.hypot(*strays) > _VIVID) & bright
    smooth = np.stack([box(plane.reshape(height, width), _RADIUS).ravel() for plane in strays])
    off, along = _line(smooth)
    turn, bend = _shape(luminance, curve)
    return Strays(
        near=_most(np.hypot(*smooth)),
        off=_most(off),
        along=_most(along),
        turn=turn,
        bend=bend,
        yellowed=bool(np.median(luminance) >= _LIGHT and np.median(_YELLOW @ chroma) >= _YELLOWED),
        vivid=float(vivid.sum() / max(1, bright.sum())),
    )


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


def _spread(strays: Strays) -> float:
    """Return how far the colors stray from one tone, in what tells them from one."""
    told = (
        (strays.turn, strays.turn > THRESHOLDS.turn),
        (strays.bend, strays.bend > THRESHOLDS.bend),
        (_VIVID, strays.vivid > THRESHOLDS.vivid),
    )
    return max(strays.near, *(value if counts else 0.0 for value, counts in told))


def _copy(planes: Float) -> Float:
    height, width = planes.shape[1:]
    if max(height, width) <= LONG_SIDE:
        return planes
    return resample.reduce(planes, *resample.fit(height, width, LONG_SIDE))


def _curve(luminance: Float, chroma: Float) -> Float:
    """Return the chroma (2, N) that the luminance (N,) alone would predict."""
    bins = int(np.clip(luminance.size // 32, 1, 32))
    parts = np.array_split(np.argsort(luminance, kind="stable"), bins)
    centers = [float(np.median(luminance[part])) for part in parts]
    predicted = [
        np.interp(luminance, centers, [np.median(plane[part]) for part in parts]) for plane in chroma
    ]
    return np.stack(predicted).astype(np.float32)


def _line(strays: Float) -> tuple[Float, Float]:
    """Return how far strays (2, N) lie off their main line, if stains have it, and how far along it."""
    _, axes = np.linalg.eigh(strays @ strays.T)
    angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1])) % 180
    angle = math.radians(min(max(angle, _STAIN[0]), _STAIN[1]))
    across = np.array([[-math.sin(angle), math.cos(angle)], [math.cos(angle), math.sin(angle)]], np.float32)
    off, along = np.abs(across @ strays)
    return off, along


def _shape(luminance: Float, curve: Float) -> tuple[float, float]:
    """Return how far the curve (2, N) leaves its main line, and the way from its dark to its light end."""
    centered = curve - curve.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(centered @ centered.T)
    turn = np.percentile(np.abs(axes[:, 0] @ centered), 95)
    dark, light = int(luminance.argmin()), int(luminance.argmax())
    span = max(float(luminance[light] - luminance[dark]), 1e-6)
    part = (luminance - luminance[dark]) / span
    straight = curve[:, dark, None] * (1 - part) + curve[:, light, None] * part
    bend = np.percentile(np.hypot(*(curve - straight)), 95)
    steep = np.hypot(*(curve[:, light] - curve[:, dark])) - _STEEPEST * span / _STEP
    return float(turn), float(max(bend, steep))


def _most(values: Float) -> float:
    return float(np.percentile(values, 98))
