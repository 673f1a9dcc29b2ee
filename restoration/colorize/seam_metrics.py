"""Seam metrics: how seamless and consistent a colored picture is.

All distances are in CIE L*a*b* (CIE 15:2018) of the colors as they are shown, luminance left out: one unit is
about the smallest difference that a careful eye sees side by side.
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
"""Maximum difference of luminance between neighbors where the picture counts as flat."""

_INVISIBLE = 0.02
"""Invisible step of chroma, added to both sides of the ratio, so that it is never a ratio of noise."""

_MIN_PIXELS = 256
"""Minimum number of flat pixels, on the borders and beside them, for a ratio."""

_STRIP_ROWS = 64
"""Rows whose colors are held in memory at once."""

_CHUNK_PIXELS = 1 << 17
"""Pixels whose colors are held in memory at once, where rows do not matter."""


@dataclass(frozen=True, slots=True)
class WindowedField:
    """A chroma field that was merged from windows."""

    chroma: Float
    """Cb and Cr (2, h, w)."""
    reference: Float
    """Cb and Cr (2, h', w') of the same picture without window borders at these places."""
    luminance: Float
    """(h, w) in [0, 1]."""
    rows: tuple[int, ...]
    """Rows at which windows begin or end."""
    columns: tuple[int, ...]
    """Columns at which windows begin or end."""
    half_stride: int
    """Half of the distance between windows, pixels."""


def windowed_field(
    field: ChromaField, luminance: Float, chroma: Float | None = None, reference: Float | None = None
) -> WindowedField | None:
    """Return the input of `seam_ratio` for a field, None if it has no windows.

    `luminance` (H, W) is in [0, 1]; `chroma` (2, H, W) replaces the field's own, as after a later step.
    `reference` (2, H', W') is the chroma of the same picture with the windows elsewhere, by default the
    palette.
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


def seamlessness(field: ChromaField, luminance: Float, shown: Float, palette: Float) -> Seamlessness:
    """Return seam ratio and consistency, to four digits, of a field inferred for the luminance (H, W).

    `shown` (2, H, W) is the chroma after the guided filter and `palette` (2, h, w) that of the field, both
    with the strength and warmth of the recipe, since consistency is that of the colors as shown. Seams are
    measured in the field itself, before the guided filter softens them.
    """
    windowed = windowed_field(field, luminance)
    ratio = None if windowed is None else seam_ratio([windowed])
    return Seamlessness(
        None if ratio is None else round(ratio, 4), round(consistency(shown, palette, luminance), 4)
    )


def seam_ratio(fields: Iterable[WindowedField]) -> float | None:
    """Return the median step of chroma across window borders over that on lines half a stride away.

    Only flat places of the picture count, lines on both sides of each border are compared with it, and all
    fields count together. Both are divided by the steps of the reference, which has no borders there, to
    cancel what the picture itself changes more in one place than in the other. 1 is no seam; a seam gives
    more, and colors that change between borders give less. None if too little is flat.
    """
    at, beside = _ChromaSteps(), _ChromaSteps()
    for one in fields:
        reference = resample.resize(one.reference, one.chroma.shape[1], one.chroma.shape[2])
        for lines, transposed in ((one.rows, False), (one.columns, True)):
            planes = [plane.swapaxes(1, 2) if transposed else plane for plane in (one.chroma, reference)]
            luminance = one.luminance.T if transposed else one.luminance
            away = {line + side * one.half_stride for line in lines for side in (-1, 1)} - set(lines)
            at.add(planes, luminance, lines)
            beside.add(planes, luminance, sorted(line for line in away if 0 < line < len(luminance)))
    if min(at.count, beside.count) < _MIN_PIXELS:
        return None
    return at.ratio() / beside.ratio()


def consistency(chroma: Float, palette: Float, luminance: Float) -> float:
    """Return the mean distance between the colors of a picture, reduced, and those of its palette.

    `chroma` (2, H, W) and `palette` (2, h, w) are Cb and Cr, compared at the smaller of both sizes;
    `luminance` is in [0, 1] and of any size.
    """
    height, width = (min(sides) for sides in zip(chroma.shape[1:], palette.shape[1:], strict=True))
    pixels = resample.resize(luminance, height, width).ravel()
    planes = [resample.resize(one, height, width).reshape(2, -1) for one in (chroma, palette)]
    total = 0.0
    for start in range(0, pixels.size, _CHUNK_PIXELS):
        part = slice(start, start + _CHUNK_PIXELS)
        colors = (shown_chroma(pixels[part], one[:, part]) for one in planes)
        total += float(np.hypot(*np.subtract(*colors)).sum())
    return total / pixels.size


def shift_spread(shifted: Sequence[Float], luminance: Float) -> float:
    """Return the standard deviation of the color over runs with different window grids, mean of all pixels.

    `shifted` are Cb and Cr (2, h, w) of each run, `luminance` (h, w) is in [0, 1].
    """
    total = 0.0
    for top in range(0, len(luminance), _STRIP_ROWS):
        rows = slice(top, top + _STRIP_ROWS)
        colors = np.stack([shown_chroma(luminance[rows], chroma[:, rows]) for chroma in shifted])
        total += float(np.sqrt(colors.var(axis=0).sum(axis=0)).sum())
    return total / luminance.size


def luma_error(rgb: Gray, gray: Gray) -> int:
    """Return the maximum difference between the luma of RGB (H, W, 3) and `gray` (H, W), in integer steps.

    Both are uint8 or both uint16.
    """
    return int(np.abs(luma(rgb).astype(np.int64) - gray.astype(np.int64)).max())


class _ChromaSteps:
    """Collects the color steps of a field and of its reference across lines, where the luminance is flat."""

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
            float(np.median(np.concatenate(steps))) + _INVISIBLE for steps in (self._field, self._reference)
        )
        return field / reference
