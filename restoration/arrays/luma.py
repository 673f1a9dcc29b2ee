"""Luma (ITU-R BT.601): of RGB, and RGB integers of exactly a given luma.

For 8 and 16 bits the luma is, in integers::

    L = (19595 R + 38470 G + 7471 B + 32768) >> 16

the BT.601 weights in 16-bit fixed point with rounding; for 8 bits that is Pillow's `convert("L")`. The
weights sum to 65536, so the luma of a neutral pixel is its own value.

For 16 bits these weights can be a third of a step off the exact ones, .299, .587 and .114. So RGB is accepted
only if .299 R + .587 G + .114 B is less than half a step from the gray, too.
"""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from restoration.arrays.buffer_pool import BufferPool

Gray: TypeAlias = npt.NDArray[np.unsignedinteger[Any]]
"""uint8 or uint16: integers of a master or a derivative."""

Float: TypeAlias = npt.NDArray[np.float32]

_R, _G, _B = 19595, 38470, 7471
_KR, _KB = 0.299, 0.114
_KG = 1 - _KR - _KB
WEIGHTS = (_KR, _KG, _KB)
"""Weights of red, green and blue in luma."""
_AMBER = (-0.8, 0.6)
"""Direction of warmth in (Cb, Cr): between those of daylight at 5000 K (-.71, .71) and 9000 K (-.90, .43)."""
_TILT = 0.5
"""Shift of a color at full warmth, in parts of its own chroma."""
_MOST_EXCESS = {1: 498, 2: 499}
"""Maximum distance of the exact luma from the gray in thousandths of a step, by bytes per sample. At 500 the
integer would depend on how halves are rounded. For 8 bits the two kinds of weights differ by less than 2
thousandths, so that at 498 both give the same integer."""
_FEWEST_STEPS = ((1, (1,)), (2, (1,)), (0, (1,)), (2, (2, 3, 4)), (0, (2,)))
"""Channel and steps to try, green first: it moves the luma most, so one step mostly suffices."""


def luma(rgb: Gray, buffers: BufferPool | None = None) -> Gray:
    """Return the luma (...,) of RGB (..., 3), uint8 or uint16, of the same dtype.

    The result is in `buffers` if given.
    """
    buffers = buffers or BufferPool()
    shape = rgb.shape[:-1]
    value, part = (buffers.array(name, shape, np.uint32) for name in ("luma sum", "luma part"))
    np.multiply(rgb[..., 0], _R, out=value, dtype=np.uint32)
    for channel, weight in ((1, _G), (2, _B)):
        np.multiply(rgb[..., channel], weight, out=part, dtype=np.uint32)
        value += part
    value += 32768  # at most 4,294,934,528: fits
    value >>= 16
    out: Gray = buffers.array("luma", shape, rgb.dtype)
    np.copyto(out, value, casting="unsafe")
    return out


def chroma(rgb: Float) -> Float:
    """Return BT.601 Cb and Cr (2, ...) float32 in [-0.5, 0.5] of RGB (..., 3) in [0, 1]."""
    r, g, b = (rgb[..., i] for i in range(3))
    y = _KR * r + _KG * g + _KB * b
    return np.stack(((b - y) / (2 * (1 - _KB)), (r - y) / (2 * (1 - _KR)))).astype(np.float32)


def from_ycbcr(planes: Float) -> Float:
    """Return RGB (3, ...) float32 in [0, 1] of Y, Cb, Cr (3, ...) in [0, 1], neutral at 128 / 255 (JFIF)."""
    y, cb, cr = planes[0], planes[1] - np.float32(128 / 255), planes[2] - np.float32(128 / 255)
    red, blue = y + 2 * (1 - _KR) * cr, y + 2 * (1 - _KB) * cb
    green = (y - _KR * red - _KB * blue) / _KG
    return np.stack((red, green, blue)).clip(0, 1).astype(np.float32)


def adjust_chroma(chroma: Float, strength: float, warmth: float) -> Float:
    """Return Cb and Cr (2, ...) float32 with strength (gain, 0 is gray) and warmth applied, not clipped.

    Warmth in [-1, 1] shifts each color towards amber, or blue below 0, by up to half of its own chroma.
    Neutral stays neutral, so no sepia covers the picture.
    """
    stronger = chroma * np.float32(strength)
    if not warmth:
        return stronger
    amount = np.float32(_TILT * warmth) * np.hypot(*stronger)
    return np.asarray(stronger + np.stack([amount * np.float32(part) for part in _AMBER]), dtype=np.float32)


def rgb_with_luma(gray: Gray, cb: Float, cr: Float, buffers: BufferPool | None = None) -> Gray:
    """Return RGB (..., 3) whose luma is exactly `gray` (...,), uint8 or uint16, of the same dtype.

    `cb` and `cr` (...,) are finite float32 in [-0.5, 0.5]; where the gamut does not hold them they are scaled
    towards gray at constant luma, which keeps the hue. The result is in `buffers` if given.
    """
    buffers = buffers or BufferPool()
    top = np.iinfo(gray.dtype).max
    y, red, green, blue, scale, spare, spare_2 = (
        buffers.array(f"rgb {i}", gray.shape, np.float32) for i in range(7)
    )
    np.copyto(y, gray)
    rgb_offsets(cb, cr, top, (red, green, blue), spare)
    gamut_scale(y, (red, green, blue), np.float32(top), scale, (spare, spare_2))
    y += np.float32(0.5)  # a cast to integers cuts off, so this rounds; the scale keeps RGB inside the range
    rgb: Gray = buffers.array("rgb", (*gray.shape, 3), gray.dtype)
    for i, difference in enumerate((red, green, blue)):
        np.multiply(difference, scale, out=spare)
        np.add(spare, y, out=spare)
        np.copyto(rgb[..., i], spare, casting="unsafe")
    _correct_luma(rgb.reshape(-1, 3), gray.reshape(-1), buffers)
    return rgb


def rgb_offsets(cb: Float, cr: Float, top: float, out: tuple[Float, Float, Float], spare: Float) -> None:
    """Write red, green and blue less luma, in the range of `top`, of Cb and Cr (...,) into `out`, float32."""
    red, green, blue = out
    np.multiply(cr, np.float32(2 * (1 - _KR) * top), out=red)
    np.multiply(cb, np.float32(2 * (1 - _KB) * top), out=blue)
    np.multiply(red, np.float32(-_KR / _KG), out=green)
    np.multiply(blue, np.float32(-_KB / _KG), out=spare)
    green += spare


def gamut_scale(
    y: Float, offsets: tuple[Float, Float, Float], top: np.float32, out: Float, spare: tuple[Float, Float]
) -> None:
    """Write the largest scale in [0, 1] that keeps `y` plus scaled offsets in [0, top] into `out` (...,)."""
    red, green, blue = offsets
    furthest, headroom = spare
    tiny = np.float32(1e-6)
    np.maximum(red, green, out=furthest)
    np.maximum(furthest, blue, out=furthest)
    np.maximum(furthest, tiny, out=furthest)
    np.subtract(top, y, out=headroom)
    np.divide(headroom, furthest, out=out)
    np.minimum(red, green, out=furthest)
    np.minimum(furthest, blue, out=furthest)
    np.minimum(furthest, -tiny, out=furthest)
    np.divide(y, furthest, out=headroom)
    np.negative(headroom, out=headroom)
    np.minimum(out, headroom, out=out)
    np.minimum(out, np.float32(1), out=out)


def _correct_luma(rgb: Gray, gray: Gray, buffers: BufferPool) -> None:
    """Correct, in place, the few pixels (N, 3) whose luma by either kind of weights is not `gray` (N,)."""
    off = buffers.array("off", gray.shape, np.bool_)
    most = _MOST_EXCESS[rgb.itemsize]
    excess = _excess(rgb, gray, buffers)
    excess += most
    np.greater(excess.view(np.uint32), 2 * most, out=off)  # negative ones are larger still
    if rgb.itemsize > 1:  # with 8 bits one follows from the other
        differing = buffers.array("differing", gray.shape, np.bool_)
        np.not_equal(luma(rgb, buffers), gray, out=differing)
        off |= differing
    open_ = np.flatnonzero(off)
    top = np.iinfo(rgb.dtype).max
    for channel, sizes in _FEWEST_STEPS:
        for size in sizes:
            if not open_.size:
                return
            pixels, wanted = rgb[open_].astype(np.int64), gray[open_]
            pixels[:, channel] -= size * np.sign(_excess(rgb[open_], wanted))
            inside = (pixels[:, channel] >= 0) & (pixels[:, channel] <= top)
            tried = np.where(inside[:, None], pixels, rgb[open_]).astype(rgb.dtype)
            right = (luma(tried) == wanted) & (np.abs(_excess(tried, wanted)) <= most)
            rgb[open_[right]] = tried[right]
            open_ = open_[~right]
    rgb[open_] = gray[open_][:, None]  # where no step fits, gray is exact


def _excess(rgb: Gray, gray: Gray, buffers: BufferPool | None = None) -> npt.NDArray[np.int32]:
    """Return the exact luma of RGB (N, 3) less `gray` (N,), in thousandths of a step."""
    buffers = buffers or BufferPool()
    value, part = (buffers.array(f"excess {i}", gray.shape, np.int32) for i in range(2))
    np.multiply(rgb[:, 0], 299, out=value, dtype=np.int32)  # at most 65,535,000: fits
    for channel, weight in ((1, 587), (2, 114)):
        np.multiply(rgb[:, channel], weight, out=part, dtype=np.int32)
        value += part
    np.multiply(gray, 1000, out=part, dtype=np.int32)
    value -= part
    return value
