"""Compression of the strips and tiles of a TIFF by libdeflate; reduced copies are verified by zlib-ng.

The two share no code. Tiles that are not decoded again later are verified at once, while their samples are
still in memory.
"""

from typing import Any

import imagecodecs
import numpy as np

from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Gray
from restoration.errors import LumaMismatch

_LEVELS = {1: 4, 2: 1}
"""By bytes a sample. The noise in the low bytes of 16-bit samples cannot be compressed: level 6 takes two
thirds longer there for half a percent."""


def compress(samples: Gray, buffers: BufferPool) -> bytes:
    """Return (h, W, bands) as deflate with a horizontal predictor, zlib framing."""
    height, width, bands = samples.shape
    flat = samples.reshape(height, width * bands)
    differences: Gray = buffers.array("differences", flat.shape, flat.dtype)
    differences[:, :bands] = flat[:, :bands]
    np.subtract(flat[:, bands:], flat[:, :-bands], out=differences[:, bands:])
    raw: Any = differences.data.cast("B")  # any buffer will do, whatever the codec's stub says
    return bytes(imagecodecs.deflate_encode(raw, level=_LEVELS[samples.itemsize]))


def verify_round_trip(encoded: bytes, samples: Gray, buffers: BufferPool) -> None:
    """Raise LumaMismatch unless a compressed piece gives its samples (h, W, bands) back."""
    decoded = buffers.array("decoded", (samples.nbytes,), np.uint8)
    try:
        size = len(imagecodecs.zlibng_decode(encoded, out=decoded.data))
    except imagecodecs.ZlibngError as error:
        raise luma_mismatch(f"what was compressed cannot be decompressed ({error})") from error
    back: Gray = decoded.view(samples.dtype).reshape(samples.shape)
    imagecodecs.delta_decode(back, axis=1, out=back)
    if size != samples.nbytes or not np.array_equal(back, samples):
        raise luma_mismatch("what was compressed comes back with other samples")


def luma_mismatch(reason: str) -> LumaMismatch:
    """Return the error for a derivative that failed verification."""
    return LumaMismatch(
        reason=f"the derivative was not kept: {reason}",
        remedy="check the disk and memory of this machine, then report it with the master",
    )
