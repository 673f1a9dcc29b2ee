"""How a scan's luminance becomes a chroma field: the whole-picture pass, then the detail passes.

The whole-picture pass sees everything and gives the palette. A detail pass sees windows at a larger scale,
and of it only what the pass before could not represent is taken::

    chroma = enlarged(chroma before) + detail - enlarged(reduced(detail))

so a window can sharpen the color of what it sees but cannot move the palette.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from restoration import resample, tiling
from restoration.color import Float
from restoration.engines import Engine
from restoration.engines.batching import in_groups
from restoration.recipe import Preset

NATIVE_SIDE = 4096
"""Longest side at which windows are laid at the scan's own scale; larger scans are reduced to it."""

_GUIDE_SIDE = 1536
_LEAST_SIDE = 256
_QUARTER_SIDE = 4 * tiling.WINDOW
_STRIDES = {Preset.FAST: 256, Preset.BALANCED: 160, Preset.FINE: 128, Preset.NATIVE: 160}
_LEAST_CONTRAST = 0.5
_FLAT = 0.02

WindowListener = Callable[[int, int], None]
"""Called with the windows done and the windows in all."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a generator wants its pictures to be: longest side of a whole picture, multiple of all sides."""

    whole: int
    multiple: int


@dataclass(frozen=True, slots=True)
class ChromaField:
    """Cb and Cr (2, h, w) in [-0.5, 0.5] of the whole picture, and how they were made."""

    chroma: Float
    stretch: tuple[float, float]
    """Gray values that the network's own copy mapped to black and to white."""
    windows: int


def guide_side(preset: Preset) -> int:
    """Return the longest side of the luminance copy that `colorize` and the guided upsampling work on."""
    return NATIVE_SIDE if preset is Preset.NATIVE else _GUIDE_SIDE


def count_windows(height: int, width: int, preset: Preset, sizes: Sizes) -> int:
    """Return how many forward passes `colorize` makes for a picture of that size."""
    shapes = _detail_shapes(height, width, preset, sizes)
    return 1 + sum(tiling.count(*shape, stride=_STRIDES[preset]) for shape in shapes)


def colorize(
    luminance: Float, preset: Preset, sizes: Sizes, engine: Engine, listener: WindowListener | None = None
) -> ChromaField:
    """Infer the chroma of a luminance copy (H, W) in [0, 1], at most `guide_side(preset)` long.

    `listener` is called after each window; whatever it raises stops the work.
    """
    height, width = luminance.shape
    shapes = _detail_shapes(height, width, preset, sizes)
    stretch = contrast_stretch(luminance)
    seen = stretched(luminance, stretch)
    run = _Run(engine, sizes.multiple, listener, count_windows(height, width, preset, sizes))
    chroma = run.whole(resample.resize(seen, *whole_shape(height, width, sizes)))
    for shape in shapes:
        detail = run.windows(resample.resize(seen, *shape), _STRIDES[preset])
        detail += resample.enlarge(chroma - resample.reduce(detail, *chroma.shape[1:]), *shape)
        chroma = np.clip(detail, -0.5, 0.5)
    return ChromaField(chroma, stretch, run.done)


def contrast_stretch(luminance: Float) -> tuple[float, float]:
    """Return the gray values that become black and white in the network's own copy.

    They are the 0.5 and 99.5 percentiles, moved apart where the contrast would more than double; a picture
    that is practically blank is not stretched.
    """
    low, high = (float(v) for v in np.percentile(luminance, [0.5, 99.5]))
    if high - low < _FLAT:
        return 0.0, 1.0
    lacking = max(0.0, _LEAST_CONTRAST - (high - low))
    low = max(0.0, low - lacking / 2)
    high = min(1.0, max(high, low + _LEAST_CONTRAST))
    return round(min(low, high - _LEAST_CONTRAST), 6), round(high, 6)


def stretched(luminance: Float, stretch: tuple[float, float]) -> Float:
    """Return the network's own copy (H, W) in [0, 1]: `stretch` becomes black and white."""
    low, high = stretch
    return np.asarray(np.clip((luminance - low) / (high - low), 0, 1), dtype=np.float32)


def whole_shape(height: int, width: int, sizes: Sizes) -> tuple[int, int]:
    """Return height and width at which the network sees a whole picture.

    It has seen nothing below 256 pixels in training, so thumbnails are enlarged.
    """
    return resample.fit(height, width, min(sizes.whole, max(_LEAST_SIDE, height, width)))


def _detail_shapes(height: int, width: int, preset: Preset, sizes: Sizes) -> tuple[tuple[int, int], ...]:
    """Each scale above the whole-picture pass; a window stays at least a quarter of the picture's side."""
    sides: tuple[int, ...] = {
        Preset.FAST: (),
        Preset.BALANCED: (min(2 * sizes.whole, _QUARTER_SIDE),),
        Preset.FINE: (min(2 * sizes.whole, _QUARTER_SIDE), _QUARTER_SIDE),
        Preset.NATIVE: (NATIVE_SIDE,),
    }[preset]
    own = max(height, width)
    scales = sorted({min(side, own) for side in sides})
    return tuple(resample.fit(height, width, side) for side in scales if side > 1.25 * sizes.whole)


def infer(engine: Engine, plane: Float, multiple: int, least: int = 0) -> Float:
    """Return the chroma (2, H, W) of one plane (H, W) in [0, 1], padded as the network needs it.

    Raises OutOfMemory, or FloatingPointError if the engine gave numbers that are not finite.
    """
    return all_planes(engine, plane, multiple, least)[:2]


def infer_each(engine: Engine, planes: Sequence[Float], multiple: int, least: int = 0) -> Float:
    """Return the chroma (N, 2, H, W) of planes (H, W) of one shape; as `infer` otherwise."""
    return _predicted(engine, planes, multiple, least)[:, :2]


def all_planes(engine: Engine, plane: Float, multiple: int, least: int = 0) -> Float:
    """Return what `infer` does, and the error that the network foretells if it does (3, H, W)."""
    planes: Float = _predicted(engine, (plane,), multiple, least)[0]
    return planes


def _predicted(engine: Engine, pictures: Sequence[Float], multiple: int, least: int) -> Float:
    height, width = pictures[0].shape
    padded = np.stack([tiling.pad(picture, multiple, least) for picture in pictures])
    planes = engine.predict(padded)[..., :height, :width]
    if not np.isfinite(planes).all():
        raise FloatingPointError(f"the engine {engine.name} gave numbers that are not finite")
    return planes


class _Run:
    """Runs the generator and counts its windows."""

    def __init__(self, engine: Engine, multiple: int, listener: WindowListener | None, total: int) -> None:
        self._engine = engine
        self._multiple = multiple
        self._listener = listener
        self._total = total
        self.done = 0

    def whole(self, plane: Float) -> Float:
        chroma = infer(self._engine, plane, self._multiple)
        self._tell()
        return chroma

    def windows(self, plane: Float, stride: int) -> Float:
        merged = np.zeros((2, *plane.shape), np.float32)
        for group in in_groups(tiling.windows(plane.shape[0], plane.shape[1], stride)):
            parts = infer_each(
                self._engine, [window.cut(plane) for window in group], self._multiple, tiling.WINDOW
            )
            for window, part in zip(group, parts, strict=True):
                window.add(part, merged)
                self._tell()
        return merged

    def _tell(self) -> None:
        self.done += 1
        if self._listener:
            self._listener(self.done, self._total)
