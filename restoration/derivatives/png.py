"""PNG writer: strip by strip, without holding the picture."""

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from restoration.arrays.luma import Gray
from restoration.masters.metadata.text_encoding import legal_xml_text

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_COLOR_TYPES: Final = {1: 0, 2: 4, 3: 2, 4: 6}
_SUB: Final = 1
_PIECE: Final = 1 << 20


def icc_chunk(profile: bytes, name: str) -> bytes:
    """Return iCCP for an ICC profile."""
    return _chunk(b"iCCP", name.encode("latin-1") + b"\0\0" + zlib.compress(profile))


def resolution_chunk(dpi: tuple[float, float]) -> bytes:
    """Return pHYs for pixels an inch."""
    x, y = (round(value / 0.0254) for value in dpi)
    return _chunk(b"pHYs", struct.pack(">IIB", x, y, 1))


def xmp_chunk(packet: bytes) -> bytes:
    """Return the uncompressed iTXt that holds an XMP packet."""
    return _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)


def text_chunk(keyword: str, text: str) -> bytes:
    """Return the uncompressed iTXt that holds a text, in UTF-8."""
    return _chunk(b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + legal_xml_text(text).encode())


def exif_chunk(tiff: bytes) -> bytes:
    """Return eXIf for EXIF in its TIFF form, without the JPEG prefix."""
    return _chunk(b"eXIf", tiff)


class PngStream:
    """Writes the chunks of one PNG to `write` as the strips come."""

    def __init__(
        self,
        write: Callable[[bytes], object],
        width: int,
        height: int,
        *,
        chunks: Sequence[bytes],
        level: int,
    ) -> None:
        self._write = write
        self._size = (width, height)
        self._chunks = chunks
        self._level = level
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, 15, 9, zlib.Z_DEFAULT_STRATEGY)
        self._pending = bytearray()
        self._begun = False

    def add(self, samples: Gray) -> None:
        """Write the next rows (h, W, bands), uint8 or uint16."""
        height, width, bands = samples.shape
        if not self._begun:
            header = struct.pack(">IIBBBBB", *self._size, 8 * samples.itemsize, _COLOR_TYPES[bands], 0, 0, 0)
            self._write(_SIGNATURE + _chunk(b"IHDR", header) + b"".join(self._chunks))
            self._begun = True
        step = bands * samples.itemsize
        rows = np.frombuffer(samples.astype(samples.dtype.newbyteorder(">")).tobytes(), np.uint8)
        rows = rows.reshape(height, width * step)
        filtered = np.zeros((height, 1 + width * step), np.uint8)
        if self._level:
            filtered[:, 0] = _SUB
            filtered[:, 1 : 1 + step] = rows[:, :step]
            np.subtract(rows[:, step:], rows[:, :-step], out=filtered[:, 1 + step :])
        else:
            filtered[:, 1:] = rows
        self._put(self._deflate.compress(filtered.data))

    def close(self) -> None:
        """Write what is left and the end mark."""
        self._put(self._deflate.flush(), last=True)
        self._write(_chunk(b"IEND", b""))

    def _put(self, data: bytes, *, last: bool = False) -> None:
        self._pending += data
        if self._pending and (last or len(self._pending) >= _PIECE):
            self._write(_chunk(b"IDAT", bytes(self._pending)))
            self._pending.clear()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
