"""Which passes over a picture a preset makes, and what they cost."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from restoration.arrays import resample, tiling
from restoration.colorize.input_splitting import (
    MAX_ASPECT,
    MAX_PASS_PIXELS,
    fits_whole,
    padded_side,
    split_input,
)
from restoration.generators.models import InputSpec
from restoration.recipe import Preset

NATIVE_SIDE: Final = 4096
"""Longest side at which windows are laid at the scan's own scale; larger scans are reduced to it."""

MAX_PANORAMA_PIXELS: Final = 1 << 21
"""Most pixels, with padding, of a look at a whole panorama that is shown in several pieces."""

MAX_STATISTICS_WINDOWS: Final = 8
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
class InferencePass:
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
class InferencePlan:
    """What a preset makes of a picture: the palette from whole pictures, the detail from closer looks."""

    palette: tuple[InferencePass, ...]
    """By rising size, in one piece each but for extreme panoramas; the palette is their mean."""
    details: tuple[InferencePass, ...]
    """By rising size; each gives what the ones before could not represent."""


def guide_side(preset: Preset, height: int, width: int) -> int:
    """Return the longest side of the luminance copy that `colorize` and the guided upsampling work on.

    Pictures beyond 1:2 get as many pixels as those of 1:2.
    """
    side = NATIVE_SIDE if preset is Preset.NATIVE else _GUIDE_SIDE
    return min(round(side * math.sqrt(_elongation(height, width))), side * side // 2)


def plan_passes(height: int, width: int, preset: Preset, spec: InputSpec) -> InferencePlan:
    """Plan the passes over a picture whose luminance copy is `height` x `width`, or larger.

    A generator with fixed statistics is shown the whole picture twice, the second time mirrored and larger,
    and then, for more detail, at up to four times its working side, each in one piece; one that normalizes by
    instance looks closer in windows, each at least a quarter of the side.
    """
    own = max(height, width)
    stretch = _elongation(height, width)
    first = min(spec.working_side, max(_LEAST_SIDE, own / stretch)) * stretch
    sides = [min(factor * spec.working_side, _QUARTER_SIDE) * stretch for factor in (2, 4)]
    palette, details = [_whole(height, width, first, spec)], []
    if spec.statistics == "instance":
        stride = tiling.WINDOW // 2
        wanted = {Preset.BALANCED: sides[:1], Preset.FINE: sides}.get(preset, [])
        details = [InferencePass(*_cut(height, width, min(side, own)), stride) for side in wanted]
    else:
        second = first if preset is Preset.FAST else min(sides[0], own)
        side = max(_SECOND * first, second)
        palette.append(replace(_whole(height, width, side, spec), mirrored=True))
        if preset is Preset.FINE:
            details.append(_whole(height, width, min(sides[1], own), spec))
    seen = tuple(palette)
    closer = tuple(_growing(details, max(seen[-1].shape)))
    native = _native(height, width, spec)
    if preset is Preset.NATIVE and max(native.shape) > max(seen[-1].shape):
        closer = (native,)
    return InferencePlan(seen, closer)


def count_windows(height: int, width: int, preset: Preset, spec: InputSpec) -> int:
    """Return how many windows `colorize` computes for a scan of that size."""
    side = min(max(height, width), guide_side(preset, height, width))
    return window_cost(plan_passes(*resample.fit(height, width, side), preset, spec), spec)


def first_pass_shape(height: int, width: int, spec: InputSpec) -> tuple[int, int]:
    """Return height and width at which the network sees a whole picture first.

    It has seen nothing below 256 pixels in training, so thumbnails are enlarged; panoramas are seen larger,
    so that their shorter side is more than a few pixels.
    """
    return plan_passes(height, width, Preset.FAST, spec).palette[0].shape


def window_cost(planned: InferencePlan, spec: InputSpec) -> int:
    """Return how many windows of 256 x 256 pixels a generator computes; a larger piece counts as several."""
    total = 0
    for one in planned.palette:
        total += sum(part_costs(one, spec)) + statistics_window_count(one, spec)
    for one in planned.details:
        if one.stride is None:
            total += sum(part_costs(one, spec))
        else:
            total += tiling.window_count(*one.shape, one.stride) + statistics_window_count(
                planned.palette[0], spec, one
            )
    return total


def part_costs(one: InferencePass, spec: InputSpec) -> tuple[int, ...]:
    """Return how many windows each piece of a look is worth: by its pixels with padding, rounded up."""
    parts = split_input(one.height, one.width, spec.multiple)
    shapes = ((padded_side(side, spec.multiple) for side in part.shape) for part in parts)
    return tuple(-(-height * width // tiling.WINDOW**2) for height, width in shapes)


def statistics_window_count(
    whole: InferencePass, spec: InputSpec, detail: InferencePass | None = None
) -> int:
    """Return how many windows have their statistics measured before a look, at the detail if there is one."""
    if spec.statistics == "fixed":
        return 0
    tiles = len(statistics_tiles(*whole.shape, alone=detail is None))
    return tiles + (len(statistics_windows(*detail.shape)) if detail else 0)


def statistics_tiles(height: int, width: int, *, alone: bool) -> tuple[tuple[int, int], ...]:
    """Return top and left of the tiles whose statistics stand for a whole picture.

    They are all of 256 x 256 side by side, or as many as may be measured at once, spread evenly; `alone`
    without windows of a detail pass.
    """
    rows, columns = (range(0, side, tiling.WINDOW) for side in (height, width))
    tiles = [(top, left) for top in rows for left in columns]
    return tuple(
        _spread(tiles, min(len(tiles), 2 * MAX_STATISTICS_WINDOWS if alone else MAX_STATISTICS_WINDOWS))
    )


def statistics_windows(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Return top and left of the windows whose statistics stand for a copy: all over it, 8 at most."""
    rows, columns = (tiling.window_spans(side, stride=tiling.WINDOW) for side in (height, width))
    down, across = len(rows), len(columns)
    if down * across > MAX_STATISTICS_WINDOWS:
        down = min(
            down, max(1, round(math.sqrt(MAX_STATISTICS_WINDOWS * down / across))), MAX_STATISTICS_WINDOWS
        )
        across = min(across, MAX_STATISTICS_WINDOWS // down)
    return tuple(
        (row.start, column.start) for row in _spread(rows, down) for column in _spread(columns, across)
    )


def _elongation(height: int, width: int) -> float:
    """How many times longer the picture is than one of 1:2 with the same shorter side; 1 for what is not."""
    return max(1.0, max(height, width) / min(height, width) / _PANORAMA)


def _whole(height: int, width: int, side: float, spec: InputSpec) -> InferencePass:
    """Lay a look at the whole picture of that longer side, or of the most pixels that it may have.

    Beyond 1:64 one piece would show next to nothing of the shorter side: there it is several.
    """
    ratio = max(height, width) / min(height, width)
    if ratio <= MAX_ASPECT:
        most = math.sqrt(MAX_PASS_PIXELS * ratio)
    else:
        most = min(side, math.sqrt(MAX_PANORAMA_PIXELS * ratio))
        most = MAX_PANORAMA_PIXELS / padded_side(min(resample.fit(height, width, round(most))), spec.multiple)
    return InferencePass(*resample.fit(height, width, round(min(side, most))), None)


def _cut(height: int, width: int, side: float) -> tuple[int, int]:
    """Return height and width of a copy of that longer side, or with as many windows as a native square."""
    shape = resample.fit(height, width, round(side))
    most = NATIVE_SIDE**2 // max(min(shape), tiling.WINDOW // 2)
    return resample.fit(height, width, min(max(shape), most))


def _native(height: int, width: int, spec: InputSpec) -> InferencePass:
    side = min(max(height, width), guide_side(Preset.NATIVE, height, width))
    shape = resample.fit(height, width, side)
    if (
        spec.statistics == "fixed"
        and shape[0] * shape[1] <= MAX_PASS_PIXELS
        and fits_whole(*shape, spec.multiple)
    ):
        return InferencePass(*shape, None)
    return InferencePass(*_cut(height, width, side), tiling.WINDOW // 2)


def _growing(wanted: list[InferencePass], before: int) -> Iterator[InferencePass]:
    """Leave out what is hardly larger than what comes before it."""
    for one in wanted:
        if max(one.shape) > _WORTHWHILE * before:
            yield one
            before = max(one.shape)


def _spread(items: Sequence[_Item], count: int) -> Sequence[_Item]:
    """Return `count` of the items at even distances."""
    return [items[(2 * n + 1) * len(items) // (2 * count)] for n in range(count)]
