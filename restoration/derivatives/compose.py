"""How a strip of gray becomes a strip of color of exactly that luma."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from restoration.arrays import ordered_map
from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Float, Gray, rgb_with_luma
from restoration.colorize.guided_filter import Upsampler
from restoration.derivatives.tone_adaptation import Appearance
from restoration.masters.strips import Strip

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the samples of a derivative are."""

    width: int
    height: int
    bands: int
    """3, or 4 with alpha."""
    bits: int
    """8 or 16."""
    associated: bool = False
    """Whether gray and colors are multiplied by the alpha, as the master stores them."""

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
class Painted:
    """Rows of a derivative; they lie in the buffers that they were painted in."""

    top: int
    samples: Gray
    """(h, W, bands)"""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the finished file must be found to hold."""

    pixel_sha256: str
    """Of the samples of the picture: rows top to bottom, interleaved, little-endian."""
    first_sha256: str
    """Of those of its first `strip_rows` rows."""
    copies: tuple[str, ...] = ()
    """Of the compressed pieces of each reduced copy, one after the other."""


class PaintedDigest:
    """The checksums of the samples of a picture, taken in as they are painted."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._first = ""

    def add(self, painted: Painted) -> None:
        """Take in the next rows."""
        samples = painted.samples
        self._whole.update(np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data)
        self._first = self._first or self._whole.hexdigest()

    def proof(self, copies: tuple[str, ...] = ()) -> Proof:
        """Return what all of it proves."""
        return Proof(self._whole.hexdigest(), self._first, copies)


@dataclass(frozen=True, slots=True)
class Painting:
    """A scan that is about to be painted, once."""

    canvas: Canvas
    upsampler: Upsampler
    strips: Iterator[Strip]
    """The upright scan from top to bottom, each strip `strip_rows` high but the last."""
    threads: int
    appearance: Appearance | None = None
    """How the samples are shown; None if as sRGB."""

    def each(self, work: Callable[[Painted, BufferPool], _Result]) -> Iterator[_Result]:
        """Paint strip after strip and yield `work` of each, in order; see `ordered_map.in_order`."""
        return ordered_map.in_order(
            self.strips, lambda strip, buffers: work(self._paint(strip, buffers), buffers), self.threads
        )

    def _paint(self, strip: Strip, buffers: BufferPool) -> Painted:
        gray = to_8_bit(strip.gray) if self.canvas.bits == 8 else strip.gray
        opacity = self._opacity(strip)
        plain = gray if opacity is None else _divided(gray, opacity)
        if self.appearance is None:
            cb, cr = self.upsampler.rows(strip.top, plain, buffers)
        else:
            seen = self.appearance.seen(plain, buffers)
            cb, cr = self.upsampler.rows(strip.top, seen, buffers)
            cb, cr = self.appearance.laid(plain, seen, cb, cr, buffers)
        if opacity is not None:
            cb, cr = cb * opacity, cr * opacity
        samples = rgb_with_luma(gray, cb, cr, buffers)
        if self.canvas.bands == 4 and strip.alpha is not None:
            rgba: Gray = buffers.array("rgba", (*gray.shape, 4), gray.dtype)
            rgba[..., :3] = samples
            rgba[..., 3] = strip.alpha
            samples = rgba
        return Painted(strip.top, samples)

    def _opacity(self, strip: Strip) -> Float | None:
        """Return the alpha (h, W) in [0, 1] by which gray and colors are multiplied."""
        if not self.canvas.associated or strip.alpha is None:
            return None
        return strip.alpha.astype(np.float32) / np.float32(np.iinfo(strip.alpha.dtype).max)


def _divided(gray: Gray, opacity: Float) -> Gray:
    """Return the gray that is shown, which is not multiplied by the opacity; 0 where nothing is shown."""
    shown = np.divide(gray, opacity, out=np.zeros_like(opacity), where=opacity > 0)
    most = np.float32(np.iinfo(gray.dtype).max)
    return np.minimum(shown + np.float32(0.5), most).astype(gray.dtype)


def as_it_is(painted: Painted, buffers: BufferPool) -> Painted:
    """Leave painted rows as they are: work for `Painting.each`."""
    del buffers
    return painted


def to_8_bit(samples: Gray) -> Gray:
    """Return uint8 samples; 16-bit ones are divided by 257 and rounded, so that white stays white."""
    if samples.dtype == np.uint8:
        return samples
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
