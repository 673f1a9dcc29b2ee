"""Segments (strips or tiles) of a TIFF, decoded one by one by the second decoder.

tifffile finds them, imagecodecs decompresses, numpy does the rest; nothing is shared with libvips or libtiff.
Each segment must hold all of its pixels: missing pixels are damage, never zeros.
"""

import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import imagecodecs
import numpy as np
import numpy.typing as npt

from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Gray
from restoration.masters.decode_errors import DamagedPixels
from restoration.masters.jpeg.completeness import with_probes, with_tables
from restoration.masters.tiff.layout import JPEG, LZW, PALETTE, RGB, UNCOMPRESSED
from restoration.masters.tiff.segment_layout import (
    CCITT,
    DEFLATE,
    JPEG_2000,
    JPEG_XL,
    LZMA,
    PACKBITS,
    PNG,
    WEBP,
    ZSTD,
    SegmentLayout,
)

_SPAN_PIXELS: Final = 1 << 18
"""Pixels that are decoded at once, where segments are smaller."""

_MAX_GROWTH: Final = 4
"""No compression makes data longer by more than this factor; bytes beyond it are not read."""
_LEAST_READ: Final = 1 << 16

_Bytes = npt.NDArray[np.uint8]


def _deflate(data: bytes, size: int) -> bytes:
    try:
        whole = bytes(imagecodecs.zlibng_decode(data, out=size))
    except imagecodecs.ZlibngError:
        whole = b""
    if len(whole) >= size:
        return whole
    # Longer than needed, or without its checksum: only the first bytes count.
    return zlib.decompressobj().decompress(data, size)


_DECOMPRESS: Final[dict[int, Callable[[bytes, int], bytes]]] = {
    UNCOMPRESSED: lambda data, _: data,
    LZW: lambda data, size: bytes(imagecodecs.lzw_decode(data, out=size)),
    **dict.fromkeys(DEFLATE, _deflate),
    PACKBITS: lambda data, _: bytes(imagecodecs.packbits_decode(data)),
    LZMA: lambda data, size: bytes(imagecodecs.lzma_decode(data, out=size)),
    ZSTD: lambda data, size: bytes(imagecodecs.zstd_decode(data, out=size)),
}
_IMAGES: Final[dict[int, Callable[[bytes], Any]]] = {
    **dict.fromkeys(JPEG_2000, imagecodecs.jpeg2k_decode),
    PNG: imagecodecs.png_decode,
    WEBP: imagecodecs.webp_decode,
    JPEG_XL: imagecodecs.jpegxl_decode,
}
"""Compressions whose segments are whole pictures of another format."""

_ERRORS: Final = (zlib.error, ValueError, RuntimeError, IndexError, TypeError, OverflowError, OSError)
"""Errors of the codecs on malformed data; their own are subclasses of RuntimeError."""


Read = Callable[[int, int], bytes]
"""Returns `size` bytes at `offset`; may be called from any thread."""


def row_spans(layout: SegmentLayout) -> Iterator[tuple[int, int]]:
    """Yield top and end of the rows that are decoded at once: whole segments where they are small."""
    band = layout.segment_rows
    wanted = max(1, _SPAN_PIXELS // layout.width)
    if layout.plain and band > wanted:
        for top in range(0, layout.height, band):
            end = min(top + band, layout.height)
            yield from ((start, min(start + wanted, end)) for start in range(top, end, wanted))
        return
    step = band * max(1, wanted // band)
    yield from ((top, min(top + step, layout.height)) for top in range(0, layout.height, step))


def decode_span(
    layout: SegmentLayout, read: Read, top: int, end: int, buffers: BufferPool, *, strict: bool
) -> Gray:
    """Return the samples (h, W, samples), uint8 or uint16, of the rows of one of `row_spans`.

    Samples of 1, 2 or 4 bits are integers below 2, 4 or 16. The array may be in `buffers`. `strict` detects
    an LZW stream whose last code is cut off. Raises DamagedPixels.
    """
    if (joined := _joined(layout, read, top, end)) is not None:
        return joined
    if layout.compression in DEFLATE and layout.whole_bytes and not (layout.tiled or layout.separate):
        return _inflated(layout, read, top, end, buffers)
    native = np.dtype(layout.dtype).newbyteorder("=")
    out: Gray = np.empty((end - top, layout.width, layout.samples), native)
    first, last = top // layout.segment_rows, (end - 1) // layout.segment_rows
    for plane in range(layout.samples if layout.separate else 1):
        chosen = slice(plane, plane + 1) if layout.separate else slice(None)
        for band in range(first, last + 1):
            begin = band * layout.segment_rows
            rows = slice(max(begin, top), min(begin + layout.rows_of(band), end))
            for column in range(layout.across):
                index = (plane * layout.down + band) * layout.across + column
                left = column * layout.segment_width
                width = min(layout.segment_width, layout.width - left)
                within = slice(rows.start - begin, rows.stop - begin)
                segment = _segment(layout, read, index, band, within, strict=strict)
                out[rows.start - top : rows.stop - top, left : left + width, chosen] = segment[:, :width]
    return out


def _joined(layout: SegmentLayout, read: Read, top: int, end: int) -> Gray | None:
    """Return rows of uncompressed strips that are contiguous in the file; None if they are not."""
    if not layout.plain or layout.across > 1 or layout.separate:
        return None
    row_bytes, rows = layout.row_bytes(), layout.segment_rows
    first, last = top // rows, (end - 1) // rows
    start = layout.offsets[first]
    for band in range(first, last + 1):
        if layout.offsets[band] != start + (band - first) * rows * row_bytes:
            return None
    data = read(start + (top - first * rows) * row_bytes, (end - top) * row_bytes)
    if len(data) < (end - top) * row_bytes:
        raise DamagedPixels(f"the file ends within strips {first:,} to {last:,}")
    return _decoded(layout, data, end - top, strict=False)


def _inflated(layout: SegmentLayout, read: Read, top: int, end: int, buffers: BufferPool) -> Gray:
    """Return rows of deflated strips, inflated in place: a fast path for a common kind of TIFF."""
    out: Gray = buffers.array("inflated", (end - top, layout.width, layout.samples), layout.dtype)
    for band in range(top // layout.segment_rows, (end - 1) // layout.segment_rows + 1):
        begin = band * layout.segment_rows - top
        place = out[begin : begin + layout.rows_of(band)]
        data = _read_segment(layout, read, band, place.nbytes)
        try:
            size = len(imagecodecs.zlibng_decode(data, out=place.data.cast("B")))
        except imagecodecs.ZlibngError:
            size = -1
        if size != place.nbytes:
            try:
                raw = _deflate(data, place.nbytes)
            except _ERRORS as error:
                raise DamagedPixels(f"strip {band:,}: {error}") from error
            if len(raw) < place.nbytes:
                raise DamagedPixels(f"strip {band:,}: {len(raw):,} of {place.nbytes:,} bytes")
            place[...] = np.frombuffer(raw, layout.dtype).reshape(place.shape)
    if not out.dtype.isnative:
        out = out.byteswap(inplace=True).view(out.dtype.newbyteorder("="))
    if layout.predictor == 2:
        imagecodecs.delta_decode(out, axis=1, out=out)
    return out


def _read_segment(layout: SegmentLayout, read: Read, index: int, expected: int) -> bytes:
    """Return the stored data of a segment of `expected` decoded bytes. Raises DamagedPixels."""
    size, most = layout.sizes[index], _MAX_GROWTH * expected + _LEAST_READ
    # Compressed data end by themselves, whatever the header says or leaves out.
    packed = layout.compression != UNCOMPRESSED
    size = most if packed and size == 0 and not any(layout.sizes) else min(size, most)
    if size == 0:
        raise DamagedPixels(f"strip or tile {index:,} is empty")
    data = read(layout.offsets[index], size)
    if not data or (len(data) < size and not packed):
        raise DamagedPixels(f"the file ends within strip or tile {index:,}")
    return data


def _segment(
    layout: SegmentLayout, read: Read, index: int, band: int, within: slice, *, strict: bool
) -> Gray:
    """Return the rows `within` a segment."""
    row_bytes, coded = layout.row_bytes(), layout.coded_rows(band)
    whole = within == slice(0, coded) or not layout.plain
    if layout.plain:
        size = (within.stop - within.start) * row_bytes
        data = read(layout.offsets[index] + within.start * row_bytes, size)
        if len(data) < size:
            raise DamagedPixels(f"the file ends within strip {index:,}")
    else:
        data = _read_segment(layout, read, index, coded * row_bytes)
    try:
        samples = _decoded(layout, data, coded if whole else within.stop - within.start, strict=strict)
    except _ERRORS as error:
        raise DamagedPixels(f"strip or tile {index:,} cannot be decompressed") from error
    return samples[within] if whole else samples


def _decoded(layout: SegmentLayout, data: bytes, rows: int, *, strict: bool) -> Gray:
    if layout.compression == JPEG:
        return _jpeg(layout, data, rows)
    if layout.compression in _IMAGES:
        return _shaped(np.asarray(_IMAGES[layout.compression](data)), layout, rows)
    if layout.low_bit_first:
        data = bytes(imagecodecs.bitorder_decode(data))
    if layout.compression in CCITT:
        return _ccitt(layout, data, rows)
    if layout.subsampling != (1, 1):
        return _subsampled(layout, data, rows, strict=strict)
    size = rows * layout.row_bytes()
    return _unpacked(layout, _decompressed(layout, data, size, strict=strict), rows)


def _decompressed(layout: SegmentLayout, data: bytes, size: int, *, strict: bool) -> _Bytes:
    """Return the first `size` decompressed bytes."""
    decompress = _DECOMPRESS[layout.compression]
    raw = decompress(data, size)
    if len(raw) < size:
        raise DamagedPixels(f"{len(raw):,} of {size:,} bytes")
    if strict and layout.compression == LZW and raw != decompress(data + b"\xff" * 4, size):
        raise DamagedPixels("its last code is cut off")  # the codec takes the missing bits as zeros
    return np.frombuffer(raw, np.uint8)[:size]


def _unpacked(layout: SegmentLayout, raw: _Bytes, rows: int) -> Gray:
    shape = (rows, layout.segment_width, layout.depth)
    if layout.bits < 8:
        return unpack_bits(raw.reshape(rows, -1), layout.segment_width * layout.depth, layout.bits).reshape(
            shape
        )
    samples: Gray = raw.view(layout.dtype).reshape(shape)
    if not samples.dtype.isnative or layout.predictor == 2:
        samples = samples.astype(samples.dtype.newbyteorder("="))
    if layout.predictor == 2:
        imagecodecs.delta_decode(samples, axis=1, out=samples)
    return samples


def _subsampled(layout: SegmentLayout, data: bytes, rows: int, *, strict: bool) -> Gray:
    """Return Y, Cb and Cr (rows, width, 3), uint8, from data units (TIFF 6.0, section 21)."""
    across, down = layout.subsampling
    units = (-(-rows // down), -(-layout.segment_width // across))
    size = math.prod(units) * (across * down + 2)
    packed = _decompressed(layout, data, size, strict=strict).reshape(*units, across * down + 2)
    out = np.empty((units[0], down, units[1], across, 3), np.uint8)
    luma = packed[..., :-2].reshape(*units, down, across)
    out[..., 0] = luma.transpose(0, 2, 1, 3)
    out[..., 1:] = packed[:, None, :, None, -2:]
    return out.reshape(units[0] * down, units[1] * across, 3)[:rows, : layout.segment_width]


def _ccitt(layout: SegmentLayout, data: bytes, rows: int) -> Gray:
    def decoded(bits: bytes) -> Gray:
        if layout.compression == 2:
            return np.asarray(imagecodecs.ccittrle_decode(bits, rows, layout.segment_width))
        if layout.compression == 3:
            return np.asarray(
                imagecodecs.ccittfax3_decode(bits, rows, layout.segment_width, t4options=layout.t4options)
            )
        return np.asarray(imagecodecs.ccittfax4_decode(bits, rows, layout.segment_width))

    # The codec fills in missing rows: then the bytes after the data change the picture.
    one, other = (decoded(data + tail) for tail in (b"\xff" * 64, b"\x2a\x91\x5c\x47" * 16))
    if not np.array_equal(one, other):
        raise DamagedPixels("too few rows")
    return _shaped(one, layout, rows)


def _jpeg(layout: SegmentLayout, data: bytes, rows: int) -> Gray:
    stream = with_tables(data, layout.jpegtables)
    samples = _jpeg_samples(layout, stream)
    if not np.array_equal(samples, _jpeg_samples(layout, with_probes(stream))):
        raise DamagedPixels("pixels are missing")
    return _shaped(samples, layout, rows)


def _jpeg_samples(layout: SegmentLayout, stream: bytes) -> Gray:
    if layout.photometric == RGB and not layout.separate:  # it is RGB, whatever its markers say
        return np.asarray(imagecodecs.jpeg8_decode(stream, colorspace="RGB", outcolorspace="RGB"))
    return np.asarray(imagecodecs.jpeg8_decode(stream))


def _shaped(samples: Gray, layout: SegmentLayout, rows: int) -> Gray:
    """Return decoded samples as (rows, width, depth); the last strip may hold rows beyond the picture."""
    samples = samples[..., None] if samples.ndim == 2 else samples
    height, width, depth = samples.shape
    if height < rows or width < layout.segment_width or depth != layout.depth:
        raise DamagedPixels(f"{width} x {height} pixels of {depth} samples")
    if samples.dtype != np.dtype(layout.dtype).newbyteorder("="):
        raise DamagedPixels(f"samples of type {samples.dtype}")
    return samples[:rows, : layout.segment_width]


def expand_samples(samples: Gray, layout: SegmentLayout, colormap: Any | None) -> Gray:
    """Return samples (h, W, bands), uint8 or uint16, from the samples of `decode_span`.

    1, 2 or 4 bits are scaled to 8 bits, and palette indices are replaced by their colors. `colormap` is
    (3, entries), 16 bits each (TIFF 6.0, tag 320). Raises DamagedPixels.
    """
    if layout.photometric == PALETTE:
        if colormap is None:
            raise DamagedPixels("no color map")
        table = np.asarray(colormap, np.uint16)
        colors = (table >> 8).astype(np.uint8).T if int(table.max()) > 255 else table.astype(np.uint8).T
        return np.concatenate((colors[samples[..., 0]], samples[..., 1:]), axis=-1)
    if layout.bits < 8:
        samples = samples * np.uint8(255 // ((1 << layout.bits) - 1))
    return samples


def unpack_bits(raw: _Bytes, count: int, bits: int) -> _Bytes:
    """Return the first `count` integers of 1, 2 or 4 bits of each row (h, N), uint8, as (h, count), uint8."""
    single = np.unpackbits(raw, axis=1)[:, : count * bits].reshape(len(raw), count, bits)
    weights = (1 << np.arange(bits)[::-1]).astype(np.uint8)
    return np.asarray((single * weights).sum(axis=2, dtype=np.uint8))
