"""Color strips with exactly the master's luma, and the digests of the samples that the file must hold.

Luma is that of BT.601, as `restoration.arrays.luma` computes it in integers.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from restoration.arrays import ordered_map
from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Float, Gray, rgb_with_luma
from restoration.colorize.guided_filter import Upsampler
from restoration.derivatives.tone_adaptation import ToneTables
from restoration.masters.strips import Strip

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Size and sample format of a derivative."""

    width: int
    height: int
    bands: int
    """3, or 4 with alpha."""
    bits: int
    """8 or 16."""
    associated: bool = False
    """True if gray and colors are multiplied by the alpha (associated alpha, TIFF 6.0 section 18)."""

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Type of a sample."""
        return np.uint8 if self.bits == 8 else np.uint16

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, uncompressed."""
        return self.width * self.bands * self.bits // 8

    @property
    def raw_bytes(self) -> int:
        """Bytes of all samples, uncompressed."""
        return self.row_bytes * self.height


@dataclass(frozen=True, slots=True)
class ComposedStrip:
    """Rows of a derivative; their memory belongs to the buffer pool that they were composed in."""

    top: int
    samples: Gray
    """(h, W, bands), uint8 or uint16."""


@dataclass(frozen=True, slots=True)
class ExpectedSamples:
    """Checksums of the samples that the finished file must decode to."""

    pixel_sha256: str
    """sha256 (hex) of all samples: rows top to bottom, interleaved, little-endian."""
    first_sha256: str
    """sha256 (hex) of the samples of the first `strip_rows` rows."""
    copies: tuple[str, ...] = ()
    """sha256 (hex) of the compressed tiles of each reduced copy, one after the other."""


class SampleDigest:
    """Checksums of the samples of a picture, added strip by strip."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._first = ""

    def add(self, composed: ComposedStrip) -> None:
        """Add the next rows."""
        samples = composed.samples
        self._whole.update(np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data)
        self._first = self._first or self._whole.hexdigest()

    def expected(self, copies: tuple[str, ...] = ()) -> ExpectedSamples:
        """Return the checksums of all that was added."""
        return ExpectedSamples(self._whole.hexdigest(), self._first, copies)


@dataclass(frozen=True, slots=True)
class Composition:
    """A derivative whose strips are composed as they are taken, once."""

    spec: ImageSpec
    upsampler: Upsampler
    strips: Iterator[Strip]
    """Of the upright master from top to bottom, each `strip_rows` high but the last."""
    threads: int
    tone_tables: ToneTables | None = None
    """Of the tone curve of the samples; None if it is that of sRGB."""

    def each(self, work: Callable[[ComposedStrip, BufferPool], _Result]) -> Iterator[_Result]:
        """Compose strip after strip and yield `work` of each, in order; see `ordered_map.in_order`."""
        return ordered_map.in_order(
            self.strips, lambda strip, buffers: work(self._compose(strip, buffers), buffers), self.threads
        )

    def _compose(self, strip: Strip, buffers: BufferPool) -> ComposedStrip:
        gray = to_8_bit(strip.gray) if self.spec.bits == 8 else strip.gray
        opacity = self._opacity(strip)
        plain = gray if opacity is None else _divided(gray, opacity)
        if self.tone_tables is None:
            cb, cr = self.upsampler.rows(strip.top, plain, buffers)
        else:
            seen = self.tone_tables.srgb_values(plain, buffers)
            cb, cr = self.upsampler.rows(strip.top, seen, buffers)
            cb, cr = self.tone_tables.adapt_chroma(plain, seen, cb, cr, buffers)
        if opacity is not None:
            cb, cr = cb * opacity, cr * opacity
        samples = rgb_with_luma(gray, cb, cr, buffers)
        if self.spec.bands == 4 and strip.alpha is not None:
            rgba: Gray = buffers.array("rgba", (*gray.shape, 4), gray.dtype)
            rgba[..., :3] = samples
            rgba[..., 3] = strip.alpha
            samples = rgba
        return ComposedStrip(strip.top, samples)

    def _opacity(self, strip: Strip) -> Float | None:
        """Return the alpha (h, W) in [0, 1] that gray and colors are multiplied by, None if they are not."""
        if not self.spec.associated or strip.alpha is None:
            return None
        return strip.alpha.astype(np.float32) / np.float32(np.iinfo(strip.alpha.dtype).max)


def _divided(gray: Gray, opacity: Float) -> Gray:
    """Return gray (h, W) divided by its opacity (h, W), of the same dtype; 0 where the opacity is 0."""
    shown = np.divide(gray, opacity, out=np.zeros_like(opacity), where=opacity > 0)
    most = np.float32(np.iinfo(gray.dtype).max)
    return np.minimum(shown + np.float32(0.5), most).astype(gray.dtype)


def unchanged(composed: ComposedStrip, buffers: BufferPool) -> ComposedStrip:
    """Return a strip as it is: work for `Composition.each` where there is none."""
    del buffers
    return composed


def to_8_bit(samples: Gray) -> Gray:
    """Return samples of any shape as uint8; uint16 ones are divided by 257 and rounded: white stays white."""
    if samples.dtype == np.uint8:
        return samples
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
