"""Independent luma computations for verification: none of the code that `luma` colors with."""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Gray


def fixed_point_luma(rgb: Gray, buffers: BufferPool | None = None) -> Gray:
    """Return the BT.601 luma (h, W) of RGB (h, W, 3) with the 16-bit fixed-point weights of Pillow.

    uint8 or uint16 in and out; for uint8 Pillow itself computes it. The result is in `buffers` if given.
    """
    if rgb.dtype == np.uint8:
        return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"))
    buffers = buffers or BufferPool()
    total = _weighted(rgb, (19595, 38470, 7471), 1 << 15, buffers)
    total >>= 16
    return _as_samples(total, "fixed-point luma", rgb.dtype, buffers)


def decimal_luma(rgb: Gray, buffers: BufferPool | None = None) -> Gray:
    """Return the BT.601 luma (h, W) of RGB (h, W, 3) with weights .299, .587 and .114, rounded to nearest.

    uint8 or uint16 in and out. The result is in `buffers` if given.
    """
    buffers = buffers or BufferPool()
    total = _weighted(rgb, (299, 587, 114), 500, buffers)
    total //= 1000
    return _as_samples(total, "decimal luma", rgb.dtype, buffers)


def _weighted(
    rgb: Gray, weights: tuple[int, int, int], half: int, buffers: BufferPool
) -> npt.NDArray[np.uint32]:
    """Return the sum of the weighted channels and `half`: below 2**32 for both kinds of weights."""
    total, part = (buffers.array(name, rgb.shape[:-1], np.uint32) for name in ("weighted sum", "weighted"))
    total[...] = half
    for channel, weight in enumerate(weights):
        np.multiply(rgb[..., channel], weight, out=part, dtype=np.uint32)
        total += part
    return total


def _as_samples(
    total: npt.NDArray[np.uint32], name: str, dtype: "np.dtype[Any]", buffers: BufferPool
) -> Gray:
    out: Gray = buffers.array(name, total.shape, dtype)
    np.copyto(out, total, casting="unsafe")
    return out
