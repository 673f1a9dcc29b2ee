"""PBM, PGM and PPM, plain and raw: what the header says, and the samples strip by strip.

The integers are the master's own, so only scales that they can keep are read: 255 and 65,535, and the two
values of a bitmap, of which 1 is black.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np

from restoration.arrays.luma import Gray
from restoration.errors import TruncatedImage, UnsupportedImage

_MOST_HEADER: Final = 1 << 16
_CHUNK: Final = 1 << 20
_LONGEST: Final = 9
"""Digits of a number."""
_SPACES: Final = b" \t\r\n\v\f"
_WHITE: Final = frozenset(_SPACES[i : i + 1] for i in range(len(_SPACES)))
BITMAP, PLAIN = frozenset({1, 4}), frozenset({1, 2, 3})


class CutOff(Exception):
    """The samples end early, or are no numbers of the scale."""


@dataclass(frozen=True, slots=True)
class PnmHeader:
    """What the header of a file says."""

    kind: int
    """The digit of its magic number, 1 to 6."""
    width: int
    height: int
    most: int
    """What white is, 1 for a bitmap."""
    offset: int
    """Of the samples."""

    @property
    def bands(self) -> int:
        """Samples a pixel."""
        return 3 if self.kind in {3, 6} else 1

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of a raw file."""
        if self.kind == 4:
            return -(-self.width // 8)
        return self.width * self.bands * (2 if self.most > 255 else 1)


def read_header(file: BufferedReader, path: Path) -> PnmHeader:
    """Return the header of an open file. Raises TruncatedImage or UnsupportedImage."""
    raw = os.pread(file.fileno(), _MOST_HEADER, 0)
    kind = raw[1] - ord("0")
    numbers, at = [], 2
    for _ in range(2 if kind in BITMAP else 3):
        number, at = _number(raw, at)
        if number is None or raw[at : at + 1] not in _WHITE:
            raise TruncatedImage(
                reason="its header is cut off or damaged", remedy="copy or scan it again", path=path
            )
        numbers.append(number)
    width, height, most = (*numbers, 1)[:3]
    if width < 1 or height < 1:
        raise TruncatedImage(reason="its header claims no pixels", remedy="copy or scan it again", path=path)
    if kind not in BITMAP and most not in {255, 65535}:
        raise UnsupportedImage(
            reason=f"its white is {most:,}; only 255 and 65,535 are read, so that the integers stay",
            remedy="convert it to an 8- or 16-bit gray or RGB TIFF",
            path=path,
        )
    # One white space ends the header, whatever follows.
    found = PnmHeader(kind, width, height, most, at + 1)
    size = os.fstat(file.fileno()).st_size
    if kind not in PLAIN and found.offset + found.row_bytes * height > size:
        raise TruncatedImage(
            reason=f"its pixel data end at byte {found.offset + found.row_bytes * height:,}, "
            f"the file at {size:,}",
            remedy="copy or scan it again",
            path=path,
        )
    return found


def read_strips(file: BufferedReader, found: PnmHeader, rows: int) -> Iterator[tuple[int, Gray]]:
    """Yield the top row and the samples (h, W, bands) of strips of `rows`. Raises CutOff or OSError."""
    plain = _Numbers(file, found) if found.kind in PLAIN else None
    for top in range(0, found.height, rows):
        count = min(rows, found.height - top)
        yield top, _raw(file, found, top, count) if plain is None else plain.rows(count)


def _raw(file: BufferedReader, found: PnmHeader, top: int, count: int) -> Gray:
    size = count * found.row_bytes
    data = os.pread(file.fileno(), size, found.offset + top * found.row_bytes)
    if len(data) < size:
        raise CutOff("the file ends within its pixels")
    if found.kind == 4:
        packed = np.frombuffer(data, np.uint8).reshape(count, -1)
        return _of_bits(np.unpackbits(packed, axis=1)[:, : found.width])[..., None]
    samples: Gray = np.frombuffer(data, ">u2" if found.most > 255 else "u1")
    return samples.astype(samples.dtype.newbyteorder("=")).reshape(count, found.width, found.bands)


class _Numbers:
    """The decimal numbers of a plain file, read as they are needed."""

    def __init__(self, file: BufferedReader, found: PnmHeader) -> None:
        self._file, self._found, self._at = file, found, found.offset
        self._text = b""
        self._waiting = np.empty(0, np.int64)

    def rows(self, count: int) -> Gray:
        """Return the samples (count, W, bands) of the next rows. Raises CutOff or OSError."""
        found = self._found
        wanted = count * found.width * found.bands
        parts = [self._waiting]
        have = len(self._waiting)
        while have < wanted:
            parts.append(self._more())
            have += len(parts[-1])
        numbers = np.concatenate(parts)
        self._waiting = numbers[wanted:]
        numbers = numbers[:wanted].reshape(count, found.width, found.bands)
        if numbers.size and int(numbers.max()) > found.most:
            raise CutOff(f"a sample is {int(numbers.max()):,}, white is {found.most:,}")
        if found.kind == 1:
            return _of_bits(numbers.astype(np.uint8))
        samples: Gray = numbers.astype(np.uint16 if found.most > 255 else np.uint8)
        return samples

    def _more(self) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
        chunk = os.pread(self._file.fileno(), _CHUNK, self._at)
        if not chunk and not self._text.strip(_SPACES):
            raise CutOff("the file ends within its pixels")
        self._at += len(chunk)
        text = self._text + chunk
        if self._found.kind == 1:  # digits need nothing between them
            self._text = b""
            digits = np.frombuffer(text.translate(None, _SPACES), np.uint8).astype(np.int64) - ord("0")
            if digits.size and not 0 <= int(digits.min()) <= int(digits.max()) <= 1:
                raise CutOff("a pixel is neither 0 nor 1")
            return digits
        cut = len(text)
        if chunk:
            cut = 1 + max(text.rfind(space) for space in _SPACES)
        self._text = text[cut:]
        words = text[:cut].split()
        if not all(word.isdigit() and len(word) <= _LONGEST for word in words) or len(self._text) > _LONGEST:
            raise CutOff("what should be a sample is no number")
        return np.array([int(word) for word in words], np.int64)


def _of_bits(bits: Gray) -> Gray:
    """Return black for 1 and white for 0."""
    return np.where(bits > 0, 0, 255).astype(np.uint8)


def _number(raw: bytes, at: int) -> tuple[int | None, int]:
    """Return the next number of a header and where it ends; white space and comments may stand before it."""
    while at < len(raw) and (raw[at] in _SPACES or raw[at] == ord("#")):
        if raw[at] == ord("#"):
            end = raw.find(b"\n", at)
            at = len(raw) if end < 0 else end
        at += 1
    end = at
    while end < len(raw) and end - at < _LONGEST and raw[end : end + 1].isdigit():
        end += 1
    return (int(raw[at:end]), end) if end > at else (None, end)
