"""Tags of a directory of a TIFF, BigTIFF or EXIF block, with their values as bytes.

tifffile and Pillow decode text with an encoding of their own choice; here it stays bytes.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

import numpy as np

_SIZES: Final = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_UTF_8: Final = 129
"""EXIF 3.0: text in UTF-8."""
_MAX_TAGS: Final = 4096
_BIG: Final = 43
MAX_BYTES: Final = 1 << 25
"""Bytes of one value: longer values are not metadata."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One tag of a directory."""

    kind: int
    """Its TIFF type: 1 BYTE, 2 ASCII, 3 SHORT, 4 LONG, 7 UNDEFINED, ..."""
    raw: bytes
    """Its value in the byte order of the file."""
    order: str
    """"<" or ">"."""

    @property
    def text(self) -> bytes | None:
        """Bytes of its text, None if it is not text."""
        return self.raw if self.kind in {1, 2, 7, _UTF_8} else None

    @property
    def number(self) -> int | None:
        """Its first value, None if it is not an integer."""
        form = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}.get(self.kind)
        if form is None or len(self.raw) < struct.calcsize(form):
            return None
        return int(struct.unpack_from(self.order + form, self.raw)[0])


@dataclass(frozen=True, slots=True)
class TagDirectory:
    """The tags of one directory by code; the first of two with the same code."""

    tags: dict[int, Tag]
    lost: frozenset[int]
    """Codes of tags whose values are outside the file."""
    cut_off: bool
    """True if the file ends before the directory does."""

    @property
    def damaged(self) -> bool:
        """True if any part of it is missing."""
        return bool(self.lost) or self.cut_off


class TagFile:
    """A file, or the part of it after the current position, that holds TIFF directories.

    Raises struct.error or ValueError if it has no TIFF header.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._base = file.tell()
        file.seek(0, 2)
        self._size = file.tell() - self._base
        marks = {b"II": "<", b"MM": ">"}
        header = self._at(0, 16)
        if header[:2] not in marks:
            raise ValueError("no TIFF header")
        self.order = marks[header[:2]]
        version = struct.unpack_from(self.order + "H", header, 2)[0]
        self._big = version == _BIG
        self.first = int(
            struct.unpack_from(self.order + ("Q" if self._big else "I"), header, 8 if self._big else 4)[0]
        )

    def directory(self, offset: int) -> TagDirectory:
        """Return the directory at `offset`; never fails."""
        count_form, entry_size = ("Q", 20) if self._big else ("H", 12)
        head = self._at(offset, struct.calcsize(count_form))
        if len(head) < struct.calcsize(count_form):
            return TagDirectory({}, frozenset(), cut_off=True)
        count = min(int(struct.unpack(self.order + count_form, head)[0]), _MAX_TAGS)
        entries = self._at(offset + len(head), count * entry_size)
        tags: dict[int, Tag] = {}
        lost = set()
        for code, tag in self._tags(entries, entry_size):
            if tag is None:
                lost.add(code)
            else:
                tags.setdefault(code, tag)
        return TagDirectory(tags, frozenset(lost - tags.keys()), len(entries) < count * entry_size)

    def _tags(self, entries: bytes, size: int) -> Iterator[tuple[int, Tag | None]]:
        inline, form = (8, "Q") if self._big else (4, "I")
        for at in range(0, len(entries) - size + 1, size):
            code, kind, count = struct.unpack_from(f"{self.order}HH{form}", entries, at)
            field = entries[at + size - inline : at + size]
            length = count * _SIZES.get(kind, 1 if kind == _UTF_8 else 0)
            if length > inline:
                raw = self._at(int(struct.unpack(self.order + form, field)[0]), min(length, MAX_BYTES))
            else:
                raw = field[:length]
            yield code, Tag(kind, raw, self.order) if len(raw) == length else None

    def _at(self, offset: int, length: int) -> bytes:
        if offset < 0 or offset >= self._size or length <= 0:
            return b""
        self._file.seek(self._base + offset)
        return self._file.read(min(length, self._size - offset))


def swap_bytes(raw: bytes, width: int) -> bytes:
    """Return `raw` with the bytes of each whole word of `width` (2 or 4) bytes reversed."""
    whole = len(raw) // width * width
    words = np.frombuffer(raw[:whole], f"<u{width}")
    return words.byteswap().tobytes() + raw[whole:]
