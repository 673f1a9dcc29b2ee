"""PBM, PGM and PPM files, plain and raw: header and samples.

Only scales that keep the integers of the master are read: 255, 65,535, and the two values of a bitmap, where
1 is black. The formats are those of the Netpbm manual pages pbm(5), pgm(5) and ppm(5).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from restoration.arrays.luma import Gray
from restoration.masters.decode_errors import DamagedPixels
from restoration.masters.refusals import CONVERT, truncated, unsupported

BITMAP, PLAIN = frozenset({1, 4}), frozenset({1, 2, 3})
"""Digits of the magic numbers of bitmaps, and of plain (decimal) files."""
_MAX_HEADER: Final = 1 << 16
_CHUNK: Final = 1 << 20
_MAX_DIGITS: Final = 9
_SPACES: Final = b" \t\r\n\v\f"
_WHITE: Final = frozenset(_SPACES[i : i + 1] for i in range(len(_SPACES)))


@dataclass(frozen=True, slots=True)
class PnmHeader:
    """Header of a PNM file."""

    kind: int
    """Digit of the magic number, 1 to 6."""
    width: int
    height: int
    white: int
    """Sample value of white, 1 for a bitmap."""
    offset: int
    """Offset of the first sample."""

    @property
    def bands(self) -> int:
        """Samples per pixel."""
        return 3 if self.kind in {3, 6} else 1

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a raw file."""
        if self.kind == 4:
            return -(-self.width // 8)
        return self.width * self.bands * (2 if self.white > 255 else 1)


def read_header(file: BufferedReader, path: Path) -> PnmHeader:
    """Return the header of an open file. Raises TruncatedImage or UnsupportedImage."""
    raw = os.pread(file.fileno(), _MAX_HEADER, 0)
    kind = raw[1] - ord("0")
    numbers, at = [], 2
    for _ in range(2 if kind in BITMAP else 3):
        number, at = _header_number(raw, at)
        if number is None or raw[at : at + 1] not in _WHITE:
            raise truncated(path, "its header is cut off or damaged")
        numbers.append(number)
    width, height, white = (*numbers, 1)[:3]
    if width < 1 or height < 1:
        raise truncated(path, "its header claims no pixels")
    if kind not in BITMAP and white not in {255, 65535}:
        raise unsupported(
            path, f"its white is {white:,}; only 255 and 65,535 are read, so that the integers stay", CONVERT
        )
    header = PnmHeader(kind, width, height, white, at + 1)  # one white space ends the header
    size = os.fstat(file.fileno()).st_size
    end = header.offset + header.row_bytes * height
    if kind not in PLAIN and end > size:
        raise truncated(
            path, f"its pixel data should end at byte {end:,}, but the file ends at byte {size:,}"
        )
    return header


def read_strips(file: BufferedReader, header: PnmHeader, rows: int) -> Iterator[tuple[int, Gray]]:
    """Yield the top row and the samples (h, W, bands), uint8 or uint16, of strips of `rows`.

    Raises DamagedPixels or OSError.
    """
    plain = _PlainSamples(file, header) if header.kind in PLAIN else None
    for top in range(0, header.height, rows):
        count = min(rows, header.height - top)
        yield top, _raw_rows(file, header, top, count) if plain is None else plain.rows(count)


def _raw_rows(file: BufferedReader, header: PnmHeader, top: int, count: int) -> Gray:
    size = count * header.row_bytes
    data = os.pread(file.fileno(), size, header.offset + top * header.row_bytes)
    if len(data) < size:
        raise DamagedPixels("the file ends within its pixels")
    if header.kind == 4:
        packed = np.frombuffer(data, np.uint8).reshape(count, -1)
        return _gray_from_bits(np.unpackbits(packed, axis=1)[:, : header.width])[..., None]
    samples: Gray = np.frombuffer(data, ">u2" if header.white > 255 else "u1")
    return samples.astype(samples.dtype.newbyteorder("=")).reshape(count, header.width, header.bands)


class _PlainSamples:
    """The decimal samples of a plain file, read as they are needed."""

    def __init__(self, file: BufferedReader, header: PnmHeader) -> None:
        self._file, self._header, self._at = file, header, header.offset
        self._text = b""
        self._pending = np.empty(0, np.int64)

    def rows(self, count: int) -> Gray:
        """Return the samples (count, W, bands) of the next rows. Raises DamagedPixels or OSError."""
        header = self._header
        wanted = count * header.width * header.bands
        parts = [self._pending]
        have = len(self._pending)
        while have < wanted:
            parts.append(self._next_numbers())
            have += len(parts[-1])
        numbers = np.concatenate(parts)
        self._pending = numbers[wanted:]
        numbers = numbers[:wanted].reshape(count, header.width, header.bands)
        if numbers.size and int(numbers.max()) > header.white:
            raise DamagedPixels(f"a sample is {int(numbers.max()):,}, white is {header.white:,}")
        if header.kind == 1:
            return _gray_from_bits(numbers.astype(np.uint8))
        samples: Gray = numbers.astype(np.uint16 if header.white > 255 else np.uint8)
        return samples

    def _next_numbers(self) -> npt.NDArray[np.int64]:
        chunk = os.pread(self._file.fileno(), _CHUNK, self._at)
        if not chunk and not self._text.strip(_SPACES):
            raise DamagedPixels("the file ends within its pixels")
        self._at += len(chunk)
        text = self._text + chunk
        if self._header.kind == 1:  # digits need nothing between them
            self._text = b""
            digits = np.frombuffer(text.translate(None, _SPACES), np.uint8).astype(np.int64) - ord("0")
            if digits.size and not 0 <= int(digits.min()) <= int(digits.max()) <= 1:
                raise DamagedPixels("a pixel is neither 0 nor 1")
            return digits
        cut = len(text)
        if chunk:
            cut = 1 + max(text.rfind(space) for space in _SPACES)
        self._text = text[cut:]
        words = text[:cut].split()
        if (
            not all(word.isdigit() and len(word) <= _MAX_DIGITS for word in words)
            or len(self._text) > _MAX_DIGITS
        ):
            raise DamagedPixels("a sample is not a number")
        return np.array([int(word) for word in words], np.int64)


def _gray_from_bits(bits: Gray) -> Gray:
    """Return black for 1 and white for 0."""
    return np.where(bits > 0, 0, 255).astype(np.uint8)


def _header_number(raw: bytes, at: int) -> tuple[int | None, int]:
    """Return the next number of a header and where it ends, skipping white space and comments before it."""
    while at < len(raw) and (raw[at] in _SPACES or raw[at] == ord("#")):
        if raw[at] == ord("#"):
            end = raw.find(b"\n", at)
            at = len(raw) if end < 0 else end
        at += 1
    end = at
    while end < len(raw) and end - at < _MAX_DIGITS and raw[end : end + 1].isdigit():
        end += 1
    return (int(raw[at:end]), end) if end > at else (None, end)
