"""Plan of the inference passes over a picture: their sizes, windows and cost, by preset."""

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
"""Maximum number of pixels, with padding, of a whole-picture pass that is split into several parts."""

MAX_STATISTICS_WINDOWS: Final = 8
"""Maximum number of windows of a detail pass whose normalization statistics are measured; as many of the
whole picture beside them, or twice as many alone."""

_Item = TypeVar("_Item")

_GUIDE_SIDE = 1536
_MIN_SIDE = 256
_QUARTER_SIDE = 4 * tiling.WINDOW
_MIN_GROWTH = 1.25
"""A detail pass must be larger than the pass before it by this factor to be worth its cost."""
_SECOND_SCALE = 1.25
"""Minimum scale of the second whole-picture pass over the first, by enlargement if need be: the mean of two
predictions at two scales, one of them of the mirrored picture, has less error than either."""
_PANORAMA_ASPECT = 2.0
"""Ratio of the sides beyond which the shorter one keeps the length that it has at this ratio."""


@dataclass(frozen=True, slots=True)
class InferencePass:
    """One pass of the generator over the picture, at one scale."""

    height: int
    width: int
    stride: int | None
    """Maximum distance of neighboring windows, pixels; None for a pass without windows."""
    mirrored: bool = False
    """Test-time augmentation: the input is flipped left to right, and its chroma flipped back."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the network input."""
        return self.height, self.width


@dataclass(frozen=True, slots=True)
class InferencePlan:
    """The passes of a preset: whole-picture passes for the palette, then passes for the detail."""

    palette: tuple[InferencePass, ...]
    """In order of size, each in one part except for extreme panoramas; the palette is their mean."""
    details: tuple[InferencePass, ...]
    """In order of size; each adds what the passes before it were too small to represent."""


def guide_side(preset: Preset, height: int, width: int) -> int:
    """Return the longest side of the luminance that `colorize` and the guided filter work on.

    Pictures beyond 1:2 get as many pixels as those of 1:2.
    """
    side = NATIVE_SIDE if preset is Preset.NATIVE else _GUIDE_SIDE
    return min(round(side * math.sqrt(_elongation(height, width))), side * side // 2)


def plan_passes(height: int, width: int, preset: Preset, spec: InputSpec) -> InferencePlan:
    """Plan the passes over a picture whose luminance is `height` x `width` or larger.

    A generator with fixed statistics sees the whole picture twice, the second time mirrored and larger, and
    then, for more detail, at up to four times its working side, each time in one part. A generator that
    normalizes by instance gets its detail from windows, each at least a quarter of the side.
    """
    own = max(height, width)
    elongation = _elongation(height, width)
    first = min(spec.working_side, max(_MIN_SIDE, own / elongation)) * elongation
    sides = [min(factor * spec.working_side, _QUARTER_SIDE) * elongation for factor in (2, 4)]
    palette, details = [_whole_pass(height, width, first, spec)], []
    if spec.statistics == "instance":
        stride = tiling.WINDOW // 2
        wanted = {Preset.BALANCED: sides[:1], Preset.FINE: sides}.get(preset, [])
        details = [InferencePass(*_windowed_shape(height, width, min(side, own)), stride) for side in wanted]
    else:
        second = first if preset is Preset.FAST else min(sides[0], own)
        side = max(_SECOND_SCALE * first, second)
        palette.append(replace(_whole_pass(height, width, side, spec), mirrored=True))
        if preset is Preset.FINE:
            details.append(_whole_pass(height, width, min(sides[1], own), spec))
    largest = max(palette[-1].shape)
    if preset is Preset.NATIVE:
        native = _native_pass(height, width, spec)
        if max(native.shape) > largest:
            return InferencePlan(tuple(palette), (native,))
    return InferencePlan(tuple(palette), tuple(_growing(details, largest)))


def count_windows(height: int, width: int, preset: Preset, spec: InputSpec) -> int:
    """Return the number of windows that `colorize` computes for a scan of that size."""
    side = min(max(height, width), guide_side(preset, height, width))
    return window_cost(plan_passes(*resample.fit(height, width, side), preset, spec), spec)


def first_pass_shape(height: int, width: int, spec: InputSpec) -> tuple[int, int]:
    """Return height and width of the first whole-picture pass.

    The generator has seen nothing below 256 pixels in training, so thumbnails are enlarged; panoramas are
    shown larger, so that their shorter side has more than a few pixels.
    """
    return plan_passes(height, width, Preset.FAST, spec).palette[0].shape


def window_cost(plan: InferencePlan, spec: InputSpec) -> int:
    """Return the cost of a plan in windows of 256 x 256 pixels; a larger part counts as several."""
    total = 0
    for one in plan.palette:
        total += sum(part_costs(one, spec)) + statistics_window_count(one, spec)
    for one in plan.details:
        if one.stride is None:
            total += sum(part_costs(one, spec))
        else:
            total += tiling.window_count(*one.shape, one.stride)
            total += statistics_window_count(plan.palette[0], spec, one)
    return total


def part_costs(one: InferencePass, spec: InputSpec) -> tuple[int, ...]:
    """Return the cost of each part of a pass in windows: its pixels with padding, rounded up."""
    parts = split_input(one.height, one.width, spec.multiple)
    shapes = ((padded_side(side, spec.multiple) for side in part.shape) for part in parts)
    return tuple(-(-height * width // tiling.WINDOW**2) for height, width in shapes)


def statistics_window_count(
    whole: InferencePass, spec: InputSpec, detail: InferencePass | None = None
) -> int:
    """Return the number of windows whose statistics are measured before a pass, `detail` if given."""
    if spec.statistics == "fixed":
        return 0
    tiles = len(statistics_tiles(*whole.shape, alone=detail is None))
    return tiles + (len(statistics_windows(*detail.shape)) if detail else 0)


def statistics_tiles(height: int, width: int, *, alone: bool) -> tuple[tuple[int, int], ...]:
    """Return top and left of the 256 x 256 tiles whose statistics represent a whole picture.

    All tiles side by side or, of more than the maximum, some at even distances; `alone` without windows of a
    detail pass.
    """
    rows, columns = (range(0, side, tiling.WINDOW) for side in (height, width))
    tiles = [(top, left) for top in rows for left in columns]
    most = 2 * MAX_STATISTICS_WINDOWS if alone else MAX_STATISTICS_WINDOWS
    return tuple(_evenly_spaced(tiles, min(len(tiles), most)))


def statistics_windows(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Return top and left of the windows whose statistics represent a detail pass, all over it."""
    rows, columns = (tiling.window_spans(side, stride=tiling.WINDOW) for side in (height, width))
    down, across = len(rows), len(columns)
    if down * across > MAX_STATISTICS_WINDOWS:
        down = max(1, round(math.sqrt(MAX_STATISTICS_WINDOWS * down / across)))
        down = min(len(rows), down, MAX_STATISTICS_WINDOWS)
        across = min(across, MAX_STATISTICS_WINDOWS // down)
    return tuple(
        (row.start, column.start)
        for row in _evenly_spaced(rows, down)
        for column in _evenly_spaced(columns, across)
    )


def _elongation(height: int, width: int) -> float:
    """Return the length over that of a 1:2 picture with the same shorter side; 1 for shorter pictures."""
    return max(1.0, max(height, width) / min(height, width) / _PANORAMA_ASPECT)


def _whole_pass(height: int, width: int, side: float, spec: InputSpec) -> InferencePass:
    """Return a pass over the whole picture with that longer side, within the maximum number of pixels.

    Beyond 1:64 one part would show next to nothing of the shorter side, so there the pass has several.
    """
    aspect = max(height, width) / min(height, width)
    if aspect <= MAX_ASPECT:
        longest = math.sqrt(MAX_PASS_PIXELS * aspect)
    else:
        longest = min(side, math.sqrt(MAX_PANORAMA_PIXELS * aspect))
        short = min(resample.fit(height, width, round(longest)))
        longest = MAX_PANORAMA_PIXELS / padded_side(short, spec.multiple)
    return InferencePass(*resample.fit(height, width, round(min(side, longest))), None)


def _windowed_shape(height: int, width: int, side: float) -> tuple[int, int]:
    """Return height and width with that longer side, within the windows of a native square."""
    shape = resample.fit(height, width, round(side))
    longest = NATIVE_SIDE**2 // max(min(shape), tiling.WINDOW // 2)
    return resample.fit(height, width, min(max(shape), longest))


def _native_pass(height: int, width: int, spec: InputSpec) -> InferencePass:
    """Return the detail pass at the scan's own scale: in one part if it fits, else in windows."""
    side = min(max(height, width), guide_side(Preset.NATIVE, height, width))
    shape = resample.fit(height, width, side)
    small = shape[0] * shape[1] <= MAX_PASS_PIXELS and fits_whole(*shape, spec.multiple)
    if spec.statistics == "fixed" and small:
        return InferencePass(*shape, None)
    return InferencePass(*_windowed_shape(height, width, side), tiling.WINDOW // 2)


def _growing(passes: Sequence[InferencePass], before: int) -> Iterator[InferencePass]:
    """Yield the passes that are clearly larger than the one before them."""
    for one in passes:
        if max(one.shape) > _MIN_GROWTH * before:
            yield one
            before = max(one.shape)


def _evenly_spaced(items: Sequence[_Item], count: int) -> Sequence[_Item]:
    """Return `count` of the items at even distances."""
    return [items[(2 * n + 1) * len(items) // (2 * count)] for n in range(count)]
