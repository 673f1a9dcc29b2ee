"""Which passes over a picture a preset makes, and what they cost."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from restoration import resample, tiling
from restoration.recipe import Preset

NATIVE_SIDE: Final = 4096
"""Longest side at which windows are laid at the scan's own scale; larger scans are reduced to it."""

ONE_PIECE: Final = 1 << 20
"""Most pixels that a generator is shown at once; what is larger is cut into windows."""

SAMPLED: Final = 8
"""Windows of a detail pass whose normalization statistics are measured, at most."""

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
    """How far windows lie apart at most; None for the picture in one piece."""
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
    """By rising size, in one piece each; the palette is their mean."""
    details: tuple[Pass, ...]
    """By rising size; each gives what the ones before could not represent."""


def guide_side(preset: Preset, height: int, width: int) -> int:
    """Return the longest side of the luminance copy that `colorize` and the guided upsampling work on.

    Pictures beyond 1:2 get as many pixels as those of 1:2.
    """
    side = NATIVE_SIDE if preset is Preset.NATIVE else _GUIDE_SIDE
    return round(side * math.sqrt(_elongation(height, width)))


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
    palette, details = [_piece(height, width, first)], []
    if sizes.statistics == "instance":
        stride = tiling.WINDOW // 2
        wanted = {Preset.BALANCED: sides[:1], Preset.FINE: sides}.get(preset, [])
        details = [Pass(*resample.fit(height, width, round(min(side, own))), stride) for side in wanted]
    else:
        second = first if preset is Preset.FAST else min(sides[0], own)
        side = max(_SECOND * first, second)
        palette.append(replace(_piece(height, width, side), mirrored=True))
        if preset is Preset.FINE:
            details.append(_piece(height, width, min(sides[1], own)))
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
        total += piece_cost(one, sizes) * (2 if sizes.statistics == "instance" else 1)
    for one in planned.details:
        if one.stride is None:
            total += piece_cost(one, sizes)
        else:
            total += tiling.count(*one.shape, one.stride)
        if sizes.statistics == "instance":
            total += sum(piece_cost(piece, sizes) for piece in planned.palette)
            total += len(sampled(*one.shape))
    return total


def piece_cost(one: Pass, sizes: Sizes) -> int:
    """Return how many windows a piece is worth: by its pixels with padding, rounded up."""
    height, width = (-(-side // sizes.multiple) * sizes.multiple for side in one.shape)
    return -(-height * width // tiling.WINDOW**2)


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


def _piece(height: int, width: int, side: float) -> Pass:
    """Lay one piece of that longer side, or of the most pixels that one piece may have."""
    most = math.sqrt(ONE_PIECE * max(height, width) / min(height, width))
    return Pass(*resample.fit(height, width, round(min(side, most))), None)


def _native(height: int, width: int, sizes: Sizes) -> Pass:
    side = min(max(height, width), guide_side(Preset.NATIVE, height, width))
    shape = resample.fit(height, width, side)
    fits = sizes.statistics == "fixed" and shape[0] * shape[1] <= ONE_PIECE
    return Pass(*shape, None if fits else tiling.WINDOW // 2)


def _growing(wanted: list[Pass], before: int) -> Iterator[Pass]:
    """Leave out what is hardly larger than what comes before it."""
    for one in wanted:
        if max(one.shape) > _WORTHWHILE * before:
            yield one
            before = max(one.shape)


def _spread(spans: Sequence[tiling.Span], count: int) -> Sequence[tiling.Span]:
    """Return `count` of the spans at even distances."""
    return [spans[(2 * n + 1) * len(spans) // (2 * count)] for n in range(count)]
