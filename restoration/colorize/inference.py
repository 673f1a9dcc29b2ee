"""Chroma inference: the palette as the mean of whole-picture passes, then detail from larger ones.

A whole-picture pass sees everything and gives the palette. A detail pass sees the picture at a larger scale,
in one part or in windows, and contributes only what the passes before it were too small to represent::

    chroma = enlarged(chroma before) + detail - enlarged(reduced(detail))

so a window can sharpen the color of what it sees but cannot shift the palette. `plan` holds the passes of
each preset, docs/research/tiling.md the reasons.
"""

from collections.abc import Callable, Iterable, Sequence
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

_MIN_CONTRAST = 0.5
_BLANK_CONTRAST = 0.02

WindowListener = Callable[[int, int], None]
"""Called with the number of windows done and their total."""

PartListener = Callable[[int], None]
"""Called with the index of the part that is done."""

_Advance = Callable[[int], None]
"""Called with the number of windows done since the last call."""


@dataclass(frozen=True, slots=True)
class ChromaField:
    """The inferred chroma of a picture, and how it was inferred."""

    chroma: Float
    """Cb and Cr (2, h, w) in [-0.5, 0.5]."""
    stretch: tuple[float, float]
    """Luminance values that the contrast stretch maps to black and to white."""
    windows: int
    """Number of windows of 256 x 256 pixels that were computed; a larger part counts as several."""
    palette: Float
    """Cb and Cr (2, h', w') of the whole-picture passes."""
    stride: int | None
    """Maximum distance of neighboring windows in the last detail pass; None if it had no windows."""
    offset: tuple[int, int]
    """Rows and columns by which the first window begins before the picture's corner."""


def colorize(
    luminance: Float,
    preset: Preset,
    spec: InputSpec,
    engine: Engine,
    listener: WindowListener | None = None,
    *,
    offset: tuple[int, int] = (0, 0),
) -> ChromaField:
    """Infer the chroma of the luminance (H, W) float32 in [0, 1], at most `guide_side` long.

    `listener` is called after each window or part; an exception from it stops the work. `offset` moves the
    grid of windows up and left, to test the effect of its position. Raises OutOfMemory, EngineUnavailable,
    FloatingPointError if the engine returned numbers that are not finite.
    """
    height, width = luminance.shape
    plan = plan_passes(height, width, preset, spec)
    stretch = contrast_stretch(luminance)
    stretched = apply_stretch(luminance, stretch)
    total, done = window_cost(plan, spec), 0

    def advance(windows: int) -> None:
        nonlocal done
        done += windows
        if listener and windows:
            listener(done, total)

    inputs = [resample.resize(stretched, *one.shape) for one in plan.palette]
    predictions = [
        _whole_picture_chroma(engine, spec, network_input, one, advance)
        for network_input, one in zip(inputs, plan.palette, strict=True)
    ]
    palette = _mean(predictions)
    chroma, stride = palette, None
    for one in plan.details:
        network_input = resample.resize(stretched, *one.shape)
        if one.stride is None:
            detail = _parts_chroma(engine, spec, network_input, one, advance)
        else:
            shared, measured = with_shared_statistics(engine, spec, inputs[0], network_input)
            advance(measured)
            windows = tiling.windows(one.height, one.width, one.stride, offset)
            detail = _windows_chroma(shared, spec, network_input, windows, advance)
        detail += resample.enlarge(chroma - resample.reduce(detail, *chroma.shape[1:]), *one.shape)
        chroma, stride = np.clip(detail, -0.5, 0.5), one.stride
    return ChromaField(chroma, stretch, done, palette, stride, offset)


def contrast_stretch(luminance: Float) -> tuple[float, float]:
    """Return the values of the luminance (H, W) in [0, 1] that are stretched to black and white.

    They are the 0.5 and 99.5 percentiles, moved apart where the contrast would more than double; a picture
    that is practically blank is not stretched.
    """
    low, high = (float(v) for v in np.percentile(luminance, [0.5, 99.5]))
    if high - low < _BLANK_CONTRAST:
        return 0.0, 1.0
    lacking = max(0.0, _MIN_CONTRAST - (high - low))
    low = max(0.0, low - lacking / 2)
    high = min(1.0, max(high, low + _MIN_CONTRAST))
    return round(min(low, high - _MIN_CONTRAST), 6), round(high, 6)


def apply_stretch(luminance: Float, stretch: tuple[float, float]) -> Float:
    """Return the luminance (H, W) with `stretch` mapped to black and white: float32 in [0, 1], clipped."""
    low, high = stretch
    return np.asarray(np.clip((luminance - low) / (high - low), 0, 1), dtype=np.float32)


def infer_chroma(
    engine: Engine, network_input: Float, multiple: int, listener: PartListener | None = None
) -> Float:
    """Return the chroma (2, H, W) float32 in [-0.5, 0.5] of a network input (H, W) float32 in [0, 1].

    The sides are padded to a `multiple`, and an input that is too large is split into parts; `listener` is
    called after each. Raises OutOfMemory, FloatingPointError if the engine returned numbers that are not
    finite.
    """
    return infer_planes(engine, network_input, multiple, listener)[:2]


def infer_windows(engine: Engine, windows: Sequence[Float], multiple: int) -> list[Float]:
    """Return the chroma (2, h, w) of each window (h, w), at most 256 x 256; otherwise as `infer_chroma`."""
    planes = _predict(engine, windows, multiple, tiling.WINDOW)
    return [part[:2, : len(window), : len(window[0])] for part, window in zip(planes, windows, strict=True)]


def infer_planes(
    engine: Engine, network_input: Float, multiple: int, listener: PartListener | None = None
) -> Float:
    """Return all planes that the generator predicts: chroma, then the error if it has an error head.

    (2 or 3, H, W) float32; otherwise as `infer_chroma`.
    """
    merged: Float | None = None
    height, width = network_input.shape
    for index, part in enumerate(split_input(height, width, multiple)):
        rows, columns = part.shape
        planes: Float = _predict(engine, (part.cut(network_input),), multiple)[0, :, :rows, :columns]
        if listener:
            listener(index)
        if planes.shape[1:] == network_input.shape:
            return planes
        if merged is None:
            merged = np.zeros((len(planes), *network_input.shape), np.float32)
        part.add(planes, merged)
    assert merged is not None  # noqa: S101  (there is at least one part)
    return merged


def _predict(engine: Engine, inputs: Sequence[Float], multiple: int, min_side: int = 0) -> Float:
    planes = engine.predict(np.stack([tiling.pad(one, multiple, min_side) for one in inputs]))
    if not np.isfinite(planes).all():
        raise FloatingPointError(f"the engine {engine.name} returned numbers that are not finite")
    return planes


def _whole_picture_chroma(
    engine: Engine, spec: InputSpec, network_input: Float, one: InferencePass, advance: _Advance
) -> Float:
    """Return the chroma (2, h, w) of a whole-picture pass, with statistics of its own input."""
    engine, measured = with_shared_statistics(engine, spec, network_input)
    advance(measured)
    if not one.mirrored:
        return _parts_chroma(engine, spec, network_input, one, advance)
    flipped = _parts_chroma(engine, spec, network_input[:, ::-1], one, advance)
    return np.ascontiguousarray(flipped[..., ::-1])


def _parts_chroma(
    engine: Engine, spec: InputSpec, network_input: Float, one: InferencePass, advance: _Advance
) -> Float:
    """Return the chroma (2, h, w) of a pass without windows."""
    costs = part_costs(one, spec)
    return infer_chroma(engine, network_input, spec.multiple, lambda index: advance(costs[index]))


def _windows_chroma(
    engine: Engine,
    spec: InputSpec,
    network_input: Float,
    windows: Iterable[tiling.Window],
    advance: _Advance,
) -> Float:
    """Return the chroma (2, h, w) of a pass in windows, merged by their Hann weights."""
    merged = np.zeros((2, *network_input.shape), np.float32)
    for group in in_groups(windows):
        parts = infer_windows(engine, [window.cut(network_input) for window in group], spec.multiple)
        for window, part in zip(group, parts, strict=True):
            window.add(part, merged)
            advance(1)
    return merged


def _mean(predictions: Sequence[Float]) -> Float:
    """Return the mean of chroma (2, h, w) of several sizes, at the size of the last."""
    shape = predictions[-1].shape[1:]
    total = sum((resample.enlarge(one, *shape) for one in predictions[:-1]), start=predictions[-1])
    return np.asarray(total / np.float32(len(predictions)), dtype=np.float32)
