"""Which passes over a picture a preset makes, and what they cost."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

from restoration.arrays import resample, tiling
from restoration.colorize.input_pieces import LONGEST, ONE_PIECE, fits, padded, pieces
from restoration.recipe import Preset

NATIVE_SIDE: Final = 4096
"""Longest side at which windows are laid at the scan's own scale; larger scans are reduced to it."""

LOOK: Final = 1 << 21
"""Most pixels, with padding, of a look at a whole panorama that is shown in several pieces."""

SAMPLED: Final = 8
"""Windows of a detail pass whose normalization statistics are measured, at most; of the whole picture as many
beside them, or twice as many alone."""

_Item = TypeVar("_Item")

_GUIDE_SIDE = 1536
_LEAST_SIDE = 256
_QUARTER_SIDE = 4 * tiling.WINDOW
_WORTHWHILE = 1.25
_SECOND = 1.25
"""The second look at the whole picture is larger by at least this much, if need be enlarged: two opinions at
two scales, one of them on the mirrored picture, err less than either."""
_PANORAMA = 2.0
"""Ratio of the sides beyond which the shorter one keeps the length that it has at this ratio."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a generator wants its pictures to be."""

    whole: int
    """Longer side of a whole picture, pixels."""
    multiple: int
    """Each side of an input is a multiple of this, pixels."""
    statistics: Literal["fixed", "instance"] = "fixed"
    """Where normalization takes mean and variance from: the training ("fixed") or each input ("instance")."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One look at the picture at one scale."""

    height: int
    width: int
    stride: int | None
    """How far windows lie apart at most; None for the whole picture, in one piece if it is small enough."""
    mirrored: bool = False
    """Whether the picture is shown left for right, and its color turned back."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture's copy."""
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class Passes:
    """What a preset makes of a picture: the palette from whole pictures, the detail from closer looks."""

    palette: tuple[Pass, ...]
    """By rising size, in one piece each but for extreme panoramas; the palette is their mean."""
    details: tuple[Pass, ...]
    """By rising size; each gives what the ones before could not represent."""


def guide_side(preset: Preset, height: int, width: int) -> int:
    """Return the longest side of the luminance copy that `colorize` and the guided upsampling work on.

    Pictures beyond 1:2 get as many pixels as those of 1:2.
    """
    side = NATIVE_SIDE if preset is Preset.NATIVE else _GUIDE_SIDE
    return min(round(side * math.sqrt(_elongation(height, width))), side * side // 2)


def passes(height: int, width: int, preset: Preset, sizes: Sizes) -> Passes:
    """Plan the passes over a picture whose luminance copy is `height` x `width`, or larger.

    A generator with fixed statistics is shown the whole picture twice, the second time mirrored and larger,
    and then, for more detail, at up to four times its working side, each in one piece; one that normalizes by
    instance looks closer in windows, each at least a quarter of the side.
    """
    own = max(height, width)
    stretch = _elongation(height, width)
    first = min(sizes.whole, max(_LEAST_SIDE, own / stretch)) * stretch
    sides = [min(factor * sizes.whole, _QUARTER_SIDE) * stretch for factor in (2, 4)]
    palette, details = [_whole(height, width, first, sizes)], []
    if sizes.statistics == "instance":
        stride = tiling.WINDOW // 2
        wanted = {Preset.BALANCED: sides[:1], Preset.FINE: sides}.get(preset, [])
        details = [Pass(*_cut(height, width, min(side, own)), stride) for side in wanted]
    else:
        second = first if preset is Preset.FAST else min(sides[0], own)
        side = max(_SECOND * first, second)
        palette.append(replace(_whole(height, width, side, sizes), mirrored=True))
        if preset is Preset.FINE:
            details.append(_whole(height, width, min(sides[1], own), sizes))
    seen = tuple(palette)
    closer = tuple(_growing(details, max(seen[-1].shape)))
    native = _native(height, width, sizes)
    if preset is Preset.NATIVE and max(native.shape) > max(seen[-1].shape):
        closer = (native,)
    return Passes(seen, closer)


def count_windows(height: int, width: int, preset: Preset, sizes: Sizes) -> int:
    """Return how many windows `colorize` computes for a scan of that size."""
    side = min(max(height, width), guide_side(preset, height, width))
    return cost(passes(*resample.fit(height, width, side), preset, sizes), sizes)


def whole_shape(height: int, width: int, sizes: Sizes) -> tuple[int, int]:
    """Return height and width at which the network sees a whole picture first.

    It has seen nothing below 256 pixels in training, so thumbnails are enlarged; panoramas are seen larger,
    so that their shorter side is more than a few pixels.
    """
    return passes(height, width, Preset.FAST, sizes).palette[0].shape


def cost(planned: Passes, sizes: Sizes) -> int:
    """Return how many windows of 256 x 256 pixels a generator computes; a larger piece counts as several."""
    total = 0
    for one in planned.palette:
        total += sum(piece_costs(one, sizes)) + measured(one, sizes)
    for one in planned.details:
        if one.stride is None:
            total += sum(piece_costs(one, sizes))
        else:
            total += tiling.count(*one.shape, one.stride) + measured(planned.palette[0], sizes, one)
    return total


def piece_costs(one: Pass, sizes: Sizes) -> tuple[int, ...]:
    """Return how many windows each piece of a look is worth: by its pixels with padding, rounded up."""
    parts = pieces(one.height, one.width, sizes.multiple)
    shapes = ((padded(side, sizes.multiple) for side in part.shape) for part in parts)
    return tuple(-(-height * width // tiling.WINDOW**2) for height, width in shapes)


def measured(whole: Pass, sizes: Sizes, detail: Pass | None = None) -> int:
    """Return how many windows have their statistics measured before a look, at the detail if there is one."""
    if sizes.statistics == "fixed":
        return 0
    tiles = len(measured_tiles(*whole.shape, alone=detail is None))
    return tiles + (len(sampled(*detail.shape)) if detail else 0)


def measured_tiles(height: int, width: int, *, alone: bool) -> tuple[tuple[int, int], ...]:
    """Return top and left of the tiles whose statistics stand for a whole picture.

    They are all of 256 x 256 side by side, or as many as may be measured at once, spread evenly; `alone`
    without windows of a detail pass.
    """
    rows, columns = (range(0, side, tiling.WINDOW) for side in (height, width))
    tiles = [(top, left) for top in rows for left in columns]
    return tuple(_spread(tiles, min(len(tiles), 2 * SAMPLED if alone else SAMPLED)))


def sampled(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Return top and left of the windows whose statistics stand for a copy: all over it, 8 at most."""
    rows, columns = (tiling.spans(side, stride=tiling.WINDOW) for side in (height, width))
    down, across = len(rows), len(columns)
    if down * across > SAMPLED:
        down = min(down, max(1, round(math.sqrt(SAMPLED * down / across))), SAMPLED)
        across = min(across, SAMPLED // down)
    return tuple(
        (row.start, column.start) for row in _spread(rows, down) for column in _spread(columns, across)
    )


def _elongation(height: int, width: int) -> float:
    """How many times longer the picture is than one of 1:2 with the same shorter side; 1 for what is not."""
    return max(1.0, max(height, width) / min(height, width) / _PANORAMA)


def _whole(height: int, width: int, side: float, sizes: Sizes) -> Pass:
    """Lay a look at the whole picture of that longer side, or of the most pixels that it may have.

    Beyond 1:64 one piece would show next to nothing of the shorter side: there it is several.
    """
    ratio = max(height, width) / min(height, width)
    if ratio <= LONGEST:
        most = math.sqrt(ONE_PIECE * ratio)
    else:
        most = min(side, math.sqrt(LOOK * ratio))
        most = LOOK / padded(min(resample.fit(height, width, round(most))), sizes.multiple)
    return Pass(*resample.fit(height, width, round(min(side, most))), None)


def _cut(height: int, width: int, side: float) -> tuple[int, int]:
    """Return height and width of a copy of that longer side, or with as many windows as a native square."""
    shape = resample.fit(height, width, round(side))
    most = NATIVE_SIDE**2 // max(min(shape), tiling.WINDOW // 2)
    return resample.fit(height, width, min(max(shape), most))


def _native(height: int, width: int, sizes: Sizes) -> Pass:
    side = min(max(height, width), guide_side(Preset.NATIVE, height, width))
    shape = resample.fit(height, width, side)
    if sizes.statistics == "fixed" and shape[0] * shape[1] <= ONE_PIECE and fits(*shape, sizes.multiple):
        return Pass(*shape, None)
    return Pass(*_cut(height, width, side), tiling.WINDOW // 2)


def _growing(wanted: list[Pass], before: int) -> Iterator[Pass]:
    """Leave out what is hardly larger than what comes before it."""
    for one in wanted:
        if max(one.shape) > _WORTHWHILE * before:
            yield one
            before = max(one.shape)


def _spread(items: Sequence[_Item], count: int) -> Sequence[_Item]:
    """Return `count` of the items at even distances."""
    return [items[(2 * n + 1) * len(items) // (2 * count)] for n in range(count)]
