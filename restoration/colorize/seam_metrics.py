"""How seamless a colored picture is, in numbers.

All distances are in CIE L*a*b* units of what is shown, luminance left aside: one unit is about what a careful
eye can tell apart side by side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from restoration.arrays import resample, tiling
from restoration.arrays.lab import Floats, shown_chroma
from restoration.arrays.luma import Float, Gray, luma
from restoration.colorize.inference import ChromaField
from restoration.results import Seamlessness

_FLAT = 2 / 255
"""Difference of luminance between neighbors up to which the picture is flat there."""

_UNSEEN = 0.02
"""Step of chroma that nobody can see: added to both sides of the ratio, so that none is one of noise."""

_FEWEST = 256
"""Flat pixels on either kind of line below which nothing can be said."""

_STRIP = 64
"""Rows whose colors are held at once."""

_AT_ONCE = 1 << 17
"""Pixels whose colors are, where rows do not matter."""


@dataclass(frozen=True, slots=True)
class WindowedField:
    """A chroma field that was put together from windows."""

    chroma: Float
    """Cb and Cr (2, h, w)."""
    reference: Float
    """Cb and Cr (2, h', w') of the same picture without borders in these places."""
    luminance: Float
    """(h, w) in [0, 1]."""
    rows: tuple[int, ...]
    """Rows at which windows begin or have ended."""
    columns: tuple[int, ...]
    half: int
    """Half of the distance between windows, pixels."""


def windowed_field(
    field: ChromaField, luminance: Float, chroma: Float | None = None, reference: Float | None = None
) -> WindowedField | None:
    """Return what `seam_ratio` looks at, None if nothing was cut into windows.

    `luminance` (H, W) is in [0, 1]; `chroma` (2, H, W) is what became of the field, if that is what counts.
    `reference` (2, H', W') is the same picture's chroma with the windows elsewhere, or else the palette.
    """
    if field.stride is None:
        return None
    height, width = field.chroma.shape[1:]
    return WindowedField(
        field.chroma if chroma is None else resample.resize(chroma, height, width),
        field.palette if reference is None else reference,
        resample.resize(luminance, height, width),
        tiling.window_borders(height, field.stride, field.offset[0]),
        tiling.window_borders(width, field.stride, field.offset[1]),
        field.stride // 2,
    )


def seamlessness(field: ChromaField, luminance: Float, laid: Float, palette: Float) -> Seamlessness:
    """Measure a field over the luminance copy (H, W) in [0, 1] that it was inferred for, to four digits.

    `laid` (2, H, W) is what the guided enlargement makes of the field on that copy, and `palette` (2, h, w)
    the field's, both with the strength and warmth that are asked for: how well they agree is told of what is
    seen. Borders of windows are looked for in the field itself, before the enlargement softens them.
    """
    cut = windowed_field(field, luminance)
    ratio = None if cut is None else seam_ratio([cut])
    agreement = consistency(laid, palette, luminance)
    return Seamlessness(None if ratio is None else round(ratio, 4), round(agreement, 4))


def seam_ratio(fields: Iterable[WindowedField]) -> float | None:
    """Return the median step of chroma across window borders over that on lines half a stride away.

    Only where the picture is flat; lines on both sides of a border are compared with it, and all fields count
    together. The reference, which has no borders there, tells how much the picture itself changes more at
    the ones than at the others: both are measured in parts of its steps. 1 is no seam; a seam gives more,
    and colors that change between borders give less. None if too little is flat.
    """
    at, beside = _Steps(), _Steps()
    for one in fields:
        reference = resample.resize(one.reference, one.chroma.shape[1], one.chroma.shape[2])
        for lines, turned in ((one.rows, False), (one.columns, True)):
            planes = [plane.swapaxes(1, 2) if turned else plane for plane in (one.chroma, reference)]
            luminance = one.luminance.T if turned else one.luminance
            away = {line + side * one.half for line in lines for side in (-1, 1)} - set(lines)
            at.add(planes, luminance, lines)
            beside.add(planes, luminance, sorted(line for line in away if 0 < line < len(luminance)))
    if min(at.count, beside.count) < _FEWEST:
        return None
    return at.ratio() / beside.ratio()


def consistency(chroma: Float, palette: Float, luminance: Float) -> float:
    """Return the mean distance between a picture's colors, reduced, and those of its whole-picture passes.

    Cb and Cr (2, H, W) of the picture and (2, h, w) of the palette, compared at the smaller of both sizes;
    the luminance has any size.
    """
    height, width = (min(sides) for sides in zip(chroma.shape[1:], palette.shape[1:], strict=True))
    small = resample.resize(luminance, height, width)
    small = small.ravel()
    made, wanted = (resample.resize(one, height, width).reshape(2, -1) for one in (chroma, palette))
    total = 0.0
    for start in range(0, small.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        colors = (shown_chroma(small[part], one[:, part]) for one in (made, wanted))
        total += float(np.hypot(*np.subtract(*colors)).sum())
    return total / small.size


def shift_spread(shifted: Sequence[Float], luminance: Float) -> float:
    """Return the standard deviation of a place's color over runs that differ in where the windows lie.

    Cb and Cr (2, h, w) of each run, the luminance (h, w); the mean over all places.
    """
    total = 0.0
    for top in range(0, len(luminance), _STRIP):
        rows = slice(top, top + _STRIP)
        colors = np.stack([shown_chroma(luminance[rows], chroma[:, rows]) for chroma in shifted])
        total += float(np.sqrt(colors.var(axis=0).sum(axis=0)).sum())
    return total / luminance.size


def luma_error(rgb: Gray, gray: Gray) -> int:
    """Return the largest difference between the luma of RGB (H, W, 3) and the master (H, W), in its steps."""
    return int(np.abs(luma(rgb).astype(np.int64) - gray.astype(np.int64)).max())


class _Steps:
    """Gathers the steps of a field and of its reference across lines, where luminance is flat."""

    def __init__(self) -> None:
        self._field: list[Floats] = []
        self._reference: list[Floats] = []
        self.count = 0

    def add(self, planes: Sequence[Float], luminance: Float, lines: Iterable[int]) -> None:
        for line in lines:
            pair = luminance[line - 1 : line + 1]
            flat = np.abs(pair[1] - pair[0]) <= _FLAT
            for plane, steps in zip(planes, (self._field, self._reference), strict=True):
                colors = shown_chroma(pair[:, flat], plane[:, line - 1 : line + 1, flat])
                steps.append(np.hypot(*(colors[:, 1] - colors[:, 0])))
            self.count += int(flat.sum())

    def ratio(self) -> float:
        field, reference = (
            float(np.median(np.concatenate(steps))) + _UNSEEN for steps in (self._field, self._reference)
        )
        return field / reference
