"""Rows of a PNG for the second decoder, a few at a time, though its codecs decode whole pictures only.

The data are inflated as a stream. A few rows at a time, still filtered, become a small PNG whose first row is
the last row before them. Pillow unfilters up to 8 bits, libpng 16 bits. See the PNG specification
(ISO/IEC 15948), sections 8 and 9.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image

from restoration.arrays.luma import Gray
from restoration.masters.decode_errors import DamagedPixels, NoSecondDecoder
from restoration.masters.png.chunks import transparency_fits
from restoration.masters.safe_open import open_master
from restoration.masters.tiff.segments import unpack_bits

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE: Final = 3
_SAME_BYTES: Final = {1: (0, 8), 2: (4, 8), 3: (2, 8), 4: (6, 8), 6: (2, 16), 8: (6, 16)}
"""Color type and bits of pictures by the bytes of their pixels."""
_PASSES: Final = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Passes of an interlaced picture: first column and row, and the steps to the next."""
_MAX_TABLE: Final = 4096
"""Bytes of a chunk that pixels depend on: a palette has at most 768."""
_READ: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    bits: int
    color: int
    interlaced: bool
    tables: Mapping[bytes, bytes]
    """The chunks PLTE and tRNS, by name."""

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel, at least 1."""
        return max(1, _CHANNELS[self.color] * self.bits // 8)

    @property
    def row_bytes(self) -> int:
        """Bytes of a row without its filter byte."""
        return -(-self.width * _CHANNELS[self.color] * self.bits // 8)

    @property
    def size(self) -> int:
        """Bytes of all rows with their filter bytes."""
        return (1 + self.row_bytes) * self.height


def read_rows(path: Path, portion: int, max_bytes: int) -> Iterator[Gray]:
    """Yield the rows of a PNG (h, W, bands), uint8 or uint16, at most `portion` at a time.

    An interlaced PNG is decoded as a whole, up to `max_bytes`. Palettes are expanded, and a transparent color
    becomes alpha. Raises DamagedPixels, NoSecondDecoder or MasterError.
    """
    with open_master(path) as file:
        header, first = _header(file)
        if header.interlaced:
            yield from _interlaced(file, header, first, portion, max_bytes)
            return
        stream = _Stream(_inflated(file, first, header.size))
        for _, packed in _packed_rows(header, stream, portion):
            yield _expanded(packed, header)


def _interlaced(
    file: io.BufferedReader, header: _Header, first: int, portion: int, max_bytes: int
) -> Iterator[Gray]:
    """Yield the rows of an interlaced picture: seven passes, each filtered as a picture of its own."""
    if header.row_bytes * header.height > max_bytes:
        raise NoSecondDecoder(f"an interlaced PNG of more than {max_bytes:,} bytes")
    passes = [
        (x, y, across, down, replace(header, width=width, height=height))
        for x, y, across, down in _PASSES
        if (width := -(-(header.width - x) // across)) > 0 and (height := -(-(header.height - y) // down)) > 0
    ]
    stream = _Stream(_inflated(file, first, sum(part.size for *_, part in passes)))
    shape = (header.height, header.width, _CHANNELS[header.color])
    whole: Gray = np.empty(shape, np.uint16 if header.bits == 16 else np.uint8)
    for x, y, across, down, part in passes:
        pixels = whole[y::down, x::across]
        for top, packed in _packed_rows(part, stream, portion):
            pixels[top : top + len(packed)] = packed
    for top in range(0, header.height, portion):
        yield _expanded(whole[top : top + portion], header)


@dataclass(slots=True)
class _Stream:
    """Inflated data, taken a few bytes at a time."""

    parts: Iterator[bytes]
    held: bytearray = field(default_factory=bytearray)

    def take(self, size: int) -> bytes | None:
        """Return the next bytes, None if there are fewer."""
        while len(self.held) < size:
            part = next(self.parts, None)
            if part is None:
                return None
            self.held += part
        taken = bytes(self.held[:size])
        del self.held[:size]
        return taken


def _packed_rows(header: _Header, stream: _Stream, portion: int) -> Iterator[tuple[int, Gray]]:
    """Yield the top row and the samples (h, W, channels) of rows as stored."""
    before = b""
    step = 1 + header.row_bytes
    for top in range(0, header.height, portion):
        filtered = stream.take(min(portion, header.height - top) * step)
        if filtered is None:
            raise DamagedPixels(f"{top + len(stream.held) // step:,} of {header.height:,} rows")
        raw = _unfiltered(header, filtered, before)
        before = raw[-1].tobytes()
        yield top, _packed(header, raw)


def _header(file: io.BufferedReader) -> tuple[_Header, int]:
    """Return the header, and the length of the first data chunk; the file is positioned at its content."""
    if file.read(8) != _SIGNATURE:
        raise DamagedPixels("no PNG")
    fields: tuple[int, ...] = ()
    tables: dict[bytes, bytes] = {}
    while True:
        length, kind = _chunk_head(file)
        if kind == b"IDAT":
            break
        if kind in {b"IHDR", b"PLTE", b"tRNS"} and length <= _MAX_TABLE:
            body = file.read(length)
            sound = file.read(4) == struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
            if kind == b"IHDR":
                fields = struct.unpack(">IIBBBBB", body)
            elif kind == b"PLTE":
                tables[kind] = body
            elif (
                sound and fields and transparency_fits(fields[3], length, len(tables.get(b"PLTE", b"")) // 3)
            ):
                tables.setdefault(kind, body)
        else:
            file.seek(length + 4, 1)
    if not fields or fields[3] not in _CHANNELS:
        raise DamagedPixels("no IHDR before the data")
    width, height, bits, color = fields[:4]
    return _Header(width, height, bits, color, bool(fields[6]), tables), length


def _chunk_head(file: io.BufferedReader) -> tuple[int, bytes]:
    head = file.read(8)
    if len(head) < 8:
        raise DamagedPixels("it ends before its last chunk")
    length, kind = struct.unpack(">I4s", head)
    return int(length), bytes(kind)


def _inflated(file: io.BufferedReader, length: int, size: int) -> Iterator[bytes]:
    """Yield the inflated data, at most `size` bytes, from the current chunk of `length` bytes on."""
    inflate = zlib.decompressobj()
    left = size
    kind = b"IDAT"
    while kind == b"IDAT" and left > 0:
        check = zlib.crc32(kind)
        while length > 0 and left > 0:
            data = file.read(min(_READ, length))
            if not data:
                raise DamagedPixels("it ends within its data")
            length -= len(data)
            check = zlib.crc32(data, check)
            while data and left > 0:
                try:
                    part = inflate.decompress(data, min(left, _READ << 2))
                except zlib.error as error:
                    raise DamagedPixels("its compressed data are damaged") from error
                left -= len(part)
                if part:
                    yield part
                data = inflate.unconsumed_tail
        if left > 0:
            if file.read(4) != struct.pack(">I", check):
                raise DamagedPixels("a chunk of its data has a wrong checksum")
            length, kind = _chunk_head(file)


def _unfiltered(header: _Header, filtered: bytes, before: bytes) -> npt.NDArray[np.uint8]:
    """Return the bytes (h, row bytes) of filtered rows; `before` is the row above them, empty at the top.

    To a filter, all pixels with the same number of bytes are alike.
    """
    step = 1 + header.row_bytes
    above = b"\0" + before if before else b""
    data = above + filtered
    rows = len(data) // step
    color, bits = _SAME_BYTES[header.pixel_bytes]
    head = struct.pack(">IIBBBBB", header.row_bytes // header.pixel_bytes, rows, bits, color, 0, 0, 0)
    small = (
        _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(data, 0)) + _chunk(b"IEND", b"")
    )
    try:
        if bits == 8:
            with Image.open(io.BytesIO(small), formats=("PNG",)) as picture:
                raw = np.asarray(picture)
        else:
            raw = np.asarray(imagecodecs.png_decode(small)).astype(">u2").view(np.uint8)
    except (OSError, SyntaxError, ValueError, RuntimeError) as error:
        raise DamagedPixels("the filter of a row is unknown") from error
    return raw.reshape(rows, header.row_bytes)[1 if before else 0 :]


def _packed(header: _Header, raw: npt.NDArray[np.uint8]) -> Gray:
    """Return the samples (h, W, channels), uint8 or uint16, of unfiltered rows as stored."""
    shape = (len(raw), header.width, _CHANNELS[header.color])
    if header.bits == 16:
        return raw.view(">u2").astype(np.uint16).reshape(shape)
    if header.bits == 8:
        return raw.reshape(shape)
    return unpack_bits(raw, header.width, header.bits)[..., None]


def _expanded(packed: Gray, header: _Header) -> Gray:
    """Return samples with palette and transparency applied, and 1, 2 or 4 bits scaled to 8 bits."""
    palette, transparent = header.tables.get(b"PLTE", b""), header.tables.get(b"tRNS", b"")
    if header.color == _PALETTE:
        return _looked_up(packed[..., 0], palette, transparent)
    clear = None
    if transparent and header.color in {0, 2}:
        key = np.frombuffer(transparent, ">u2") & ((1 << header.bits) - 1)  # the low bits count
        clear = np.all(packed == key, axis=2)
    if header.bits < 8:
        packed = packed * np.uint8(255 // ((1 << header.bits) - 1))
    if clear is None:
        return packed
    alpha = np.where(clear, 0, np.iinfo(packed.dtype).max).astype(packed.dtype)
    return np.concatenate((packed, alpha[..., None]), axis=2)


def _looked_up(indices: Gray, palette: bytes, transparent: bytes) -> Gray:
    colors = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    if int(indices.max()) >= len(colors):
        raise DamagedPixels("a color that is missing in its palette")
    if transparent:
        alpha = np.full((len(colors), 1), 255, np.uint8)
        known = np.frombuffer(transparent, np.uint8)[: len(colors)]
        alpha[: len(known), 0] = known
        colors = np.concatenate((colors, alpha), axis=1)
    return np.asarray(colors[indices])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
