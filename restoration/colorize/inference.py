"""How a scan's luminance becomes a chroma field: the palette from the whole picture, then closer looks.

A pass over the whole picture sees everything and gives the palette. A closer look sees the picture at a
larger scale, in one piece or in windows, and of it only what came before could not represent is taken::

    chroma = enlarged(chroma before) + detail - enlarged(reduced(detail))

so a window can sharpen the color of what it sees but cannot move the palette. `colorize.plan` says which
passes a preset makes, `docs/research/tiling.md` why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from restoration.arrays import resample, tiling
from restoration.arrays.luma import Float
from restoration.colorize.input_splitting import split_input
from restoration.colorize.plan import InferencePass, part_costs, plan_passes, window_cost
from restoration.colorize.shared_statistics import with_shared_statistics
from restoration.generators.engines import Engine
from restoration.generators.engines.batching import in_groups
from restoration.generators.models import InputSpec
from restoration.recipe import Preset

_LEAST_CONTRAST = 0.5
_FLAT = 0.02

WindowListener = Callable[[int, int], None]
"""Called with the windows done and the windows in all."""

PartListener = Callable[[int], None]
"""Called with the number of the piece that is done."""


@dataclass(frozen=True, slots=True)
class ChromaField:
    """Cb and Cr (2, h, w) in [-0.5, 0.5] of the whole picture, and how they were made."""

    chroma: Float
    stretch: tuple[float, float]
    """Gray values that the network's own copy mapped to black and to white."""
    windows: int
    """Windows of 256 x 256 pixels that were computed; a larger piece counts as several."""
    palette: Float
    """Cb and Cr (2, h', w') of the whole-picture passes."""
    stride: int | None
    """How far the windows of the last detail pass lie apart at most; None if nothing was cut into windows."""
    offset: tuple[int, int]
    """How far before the picture's corner its first window began."""


def colorize(
    luminance: Float,
    preset: Preset,
    spec: InputSpec,
    engine: Engine,
    listener: WindowListener | None = None,
    *,
    offset: tuple[int, int] = (0, 0),
) -> ChromaField:
    """Infer the chroma of a luminance copy (H, W) in [0, 1], at most `guide_side` long.

    `listener` is called after each window or piece; whatever it raises stops the work. `offset` begins the
    first windows so many pixels before the picture's corner, to see what their place does. Raises
    OutOfMemory, EngineUnavailable, FloatingPointError if the engine gave numbers that are not finite.
    """
    height, width = luminance.shape
    planned = plan_passes(height, width, preset, spec)
    stretch = contrast_stretch(luminance)
    seen = apply_stretch(luminance, stretch)
    wholes = [resample.resize(seen, *one.shape) for one in planned.palette]
    run = _Run(spec, listener, window_cost(planned, spec))
    looks = zip(wholes, planned.palette, strict=True)
    palette = _mean([run.whole(engine, plane, one) for plane, one in looks])
    chroma, stride = palette, None
    for one in planned.details:
        detail = run.detail(engine, wholes[0], resample.resize(seen, *one.shape), one, offset)
        detail += resample.enlarge(chroma - resample.reduce(detail, *chroma.shape[1:]), *one.shape)
        chroma, stride = np.clip(detail, -0.5, 0.5), one.stride
    return ChromaField(chroma, stretch, run.done, palette, stride, offset)


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


def apply_stretch(luminance: Float, stretch: tuple[float, float]) -> Float:
    """Return the network's own copy (H, W) in [0, 1]: `stretch` becomes black and white."""
    low, high = stretch
    return np.asarray(np.clip((luminance - low) / (high - low), 0, 1), dtype=np.float32)


def infer_chroma(engine: Engine, plane: Float, multiple: int, listener: PartListener | None = None) -> Float:
    """Return the chroma (2, H, W) of one plane (H, W) in [0, 1], padded as the network needs it.

    A plane larger than the network may be shown is cut into pieces; `listener` is called after each. Raises
    OutOfMemory, or FloatingPointError if the engine gave numbers that are not finite.
    """
    return infer_planes(engine, plane, multiple, listener)[:2]


def infer_windows(engine: Engine, windows: Sequence[Float], multiple: int) -> list[Float]:
    """Return the chroma (2, h, w) of each window (h, w), at most 256 x 256; as `infer_chroma` otherwise."""
    planes = _predicted(engine, windows, multiple, tiling.WINDOW)
    return [part[:2, : len(window), : len(window[0])] for part, window in zip(planes, windows, strict=True)]


def infer_planes(engine: Engine, plane: Float, multiple: int, listener: PartListener | None = None) -> Float:
    """Return what `infer_chroma` does, and the error that the network predicts if it does (3, H, W)."""
    merged: Float | None = None
    height, width = plane.shape
    for number, piece in enumerate(split_input(height, width, multiple)):
        rows, columns = piece.shape
        part: Float = _predicted(engine, (piece.cut(plane),), multiple)[0, :, :rows, :columns]
        if listener:
            listener(number)
        if part.shape[1:] == plane.shape:
            return part
        if merged is None:
            merged = np.zeros((len(part), *plane.shape), np.float32)
        piece.add(part, merged)
    assert merged is not None  # noqa: S101  (there is at least one piece)
    return merged


def _predicted(engine: Engine, pictures: Sequence[Float], multiple: int, least: int = 0) -> Float:
    planes = engine.predict(np.stack([tiling.pad(picture, multiple, least) for picture in pictures]))
    if not np.isfinite(planes).all():
        raise FloatingPointError(f"the engine {engine.name} gave numbers that are not finite")
    return planes


def _mean(planes: Sequence[Float]) -> Float:
    """Return the mean of chroma planes (2, h, w) at the size of the last."""
    shape = planes[-1].shape[1:]
    total = sum((resample.enlarge(one, *shape) for one in planes[:-1]), start=planes[-1])
    return np.asarray(total / np.float32(len(planes)), dtype=np.float32)


class _Run:
    """Runs the generator and counts its windows."""

    def __init__(self, spec: InputSpec, listener: WindowListener | None, total: int) -> None:
        self._spec = spec
        self._listener = listener
        self._total = total
        self.done = 0

    def whole(self, engine: Engine, plane: Float, one: InferencePass) -> Float:
        steady, measured = with_shared_statistics(engine, self._spec, plane)
        self._tell(measured)
        if one.mirrored:
            return np.ascontiguousarray(self._piece(steady, plane[:, ::-1], one)[..., ::-1])
        return self._piece(steady, plane, one)

    def detail(
        self, engine: Engine, whole: Float, plane: Float, one: InferencePass, offset: tuple[int, int]
    ) -> Float:
        if one.stride is None:
            return self._piece(engine, plane, one)
        steady, measured = with_shared_statistics(engine, self._spec, whole, plane)
        self._tell(measured)
        return self._windows(steady, plane, one.stride, offset)

    def _windows(self, engine: Engine, plane: Float, stride: int, offset: tuple[int, int]) -> Float:
        merged = np.zeros((2, *plane.shape), np.float32)
        for group in in_groups(tiling.windows(plane.shape[0], plane.shape[1], stride, offset)):
            parts = infer_windows(engine, [window.cut(plane) for window in group], self._spec.multiple)
            for window, part in zip(group, parts, strict=True):
                window.add(part, merged)
                self._tell(1)
        return merged

    def _piece(self, engine: Engine, plane: Float, one: InferencePass) -> Float:
        costs = part_costs(one, self._spec)
        return infer_chroma(engine, plane, self._spec.multiple, lambda number: self._tell(costs[number]))

    def _tell(self, windows: int) -> None:
        self.done += windows
        if self._listener and windows:
            self._listener(self.done, self._total)
