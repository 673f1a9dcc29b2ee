"""How a piece of a TIFF is compressed, and how one that is not decoded again later is proven at once.

What libdeflate has compressed is decompressed by zlib-ng, which shares no code with it, in the same thread
while the samples are still at hand. It counts as proven if every sample came back.
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


def seal(samples: Gray, buffers: BufferPool) -> bytes:
    """Return (h, W, bands) as deflate with a horizontal predictor, zlib framing."""
    height, width, bands = samples.shape
    flat = samples.reshape(height, width * bands)
    differences: Gray = buffers.array("differences", flat.shape, flat.dtype)
    differences[:, :bands] = flat[:, :bands]
    np.subtract(flat[:, bands:], flat[:, :-bands], out=differences[:, bands:])
    raw: Any = differences.data.cast("B")  # any buffer will do, whatever the codec's stub says
    return bytes(imagecodecs.deflate_encode(raw, level=_LEVELS[samples.itemsize]))


def prove(encoded: bytes, samples: Gray, buffers: BufferPool) -> None:
    """Raise LumaMismatch unless a compressed piece gives its samples (h, W, bands) back."""
    decoded = buffers.array("decoded", (samples.nbytes,), np.uint8)
    try:
        size = len(imagecodecs.zlibng_decode(encoded, out=decoded.data))
    except imagecodecs.ZlibngError as error:
        raise mismatch(f"what was compressed cannot be decompressed ({error})") from error
    back: Gray = decoded.view(samples.dtype).reshape(samples.shape)
    imagecodecs.delta_decode(back, axis=1, out=back)
    if size != samples.nbytes or not np.array_equal(back, samples):
        raise mismatch("what was compressed comes back with other samples")


def mismatch(reason: str) -> LumaMismatch:
    """Return the error for a derivative that is not what it must be."""
    return LumaMismatch(
        reason=f"the derivative was not kept: {reason}",
        remedy="check the disk and memory of this machine, then report it with the master",
    )
