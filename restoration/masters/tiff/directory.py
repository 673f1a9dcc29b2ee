"""Directories of a TIFF: their fields are read as stored, and what is odd about them is noted.

TIFF 6.0 and BigTIFF, in either byte order. A directory that cannot be read ends the chain; a field whose
values are outside the file is left out. `tiff.layout_reader` decides what that means for the picture.
"""

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from io import BufferedReader
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from restoration.masters.tiff.names import TagCode, tag_name

MAX_DIRECTORIES: Final = 1_000
"""Directories of a file: a picture with its reduced copies and masks. More are an attack on the reader."""

MAX_INTEGER: Final = 1 << 61
"""Larger integers are taken as this: the sum of two still fits 64 bits."""
_INTEGERS: Final[dict[int, str]] = {
    1: "u1",
    3: "u2",
    4: "u4",
    6: "i1",
    7: "u1",
    8: "i2",
    9: "i4",
    13: "u4",
    16: "u8",
    17: "i8",
    18: "u8",
}
_FLOATS: Final[dict[int, str]] = {11: "f4", 12: "f8"}
_SIZES: Final[Mapping[int, int]] = {
    **{kind: int(code[1]) for kind, code in (*_INTEGERS.items(), *_FLOATS.items())},
    2: 1,
    5: 8,
    10: 8,
}
_ASCII, _RATIONAL, _SIGNED_RATIONAL = 2, 5, 10
_MAX_NOTES = 20
_MAX_VALUE_BYTES = 1 << 26
_MAX_FIELDS = 4_096
"""Fields of a directory: a picture has about thirty."""


class NoDirectory(Exception):
    """There is no readable directory, or its values are outside the file."""


@dataclass(frozen=True, slots=True)
class Field:
    """Location of the values of a tag."""

    kind: int
    """TIFF field type, 1 to 18."""
    count: int
    offset: int
    """Offset of the first value in the file."""

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return self.count * _SIZES[self.kind]


@dataclass(frozen=True, slots=True)
class Directory:
    """One image file directory."""

    file: "TiffFile"
    offset: int
    fields: Mapping[int, Field]
    lost: frozenset[int] = frozenset()
    """Tags that are present, but whose values cannot be read."""

    def integers(self, tag: int, most: int | None = None) -> npt.NDArray[np.int64] | None:
        """Return the first `most` integers of a tag, (N,) int64; None if it is absent or of another type.

        Raises OSError or NoDirectory.
        """
        one = self.fields.get(tag)
        if one is None or one.kind not in _INTEGERS or not one.count:
            return None
        size = _SIZES[one.kind] * (one.count if most is None else min(one.count, most))
        raw = self.file.exactly(one.offset, size)
        values = np.frombuffer(raw, np.dtype(_INTEGERS[one.kind]).newbyteorder(self.file.order))
        most = min(MAX_INTEGER, int(np.iinfo(values.dtype).max))
        found: npt.NDArray[np.int64] = np.minimum(values, most).astype(np.int64)
        return found

    def integer(self, tag: int, default: int) -> int:
        """Return the first integer of a tag, or the default."""
        values = self.integers(tag, 1)
        return default if values is None else int(values[0])

    def ratio(self, tag: int, place: int = 0) -> Fraction | None:
        """Return one value of a tag as a number, whatever its type; None if it is not a finite number.

        Raises OSError or NoDirectory.
        """
        one = self.fields.get(tag)
        if one is None or one.kind == _ASCII or place >= one.count:
            return None
        size = _SIZES[one.kind]
        raw = self.file.exactly(one.offset + place * size, size)
        if one.kind in {_RATIONAL, _SIGNED_RATIONAL}:
            code = "II" if one.kind == _RATIONAL else "ii"
            upper, lower = struct.unpack(self.file.order + code, raw)
            return Fraction(upper, lower) if lower else None
        kind = np.dtype((_INTEGERS | _FLOATS)[one.kind]).newbyteorder(self.file.order)
        number = np.frombuffer(raw, kind)[0]
        return Fraction(number.item()) if np.isfinite(number) else None

    def raw(self, tag: int) -> bytes | None:
        """Return the bytes of a tag as stored; None if it is absent or larger than 64 MiB.

        Raises OSError or NoDirectory.
        """
        one = self.fields.get(tag)
        if one is None or one.size > _MAX_VALUE_BYTES:
            return None
        return self.file.exactly(one.offset, one.size)


@dataclass(slots=True)
class TiffFile:
    """An open TIFF: its byte order, its directories, and notes about them."""

    file: BufferedReader
    size: int
    order: Literal["<", ">"] = "<"
    """`<` or `>`, as in `struct`."""
    big: bool = False
    directories: list[Directory] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def bytes_at(self, offset: int, size: int) -> bytes:
        """Return bytes of the file, fewer at its end. Raises OSError."""
        if offset > self.size:
            return b""
        return os.pread(self.file.fileno(), size, offset)

    def exactly(self, offset: int, size: int) -> bytes:
        """Return `size` bytes of the file. Raises NoDirectory if there are fewer, or OSError."""
        found = self.bytes_at(offset, size)
        if len(found) < size:
            raise NoDirectory("the file ends within it")
        return found

    def note(self, text: str) -> None:
        """Add a note; the first twenty different notes are kept."""
        if len(self.notes) < _MAX_NOTES and text not in self.notes:
            self.notes.append(text)

    def directory(self, offset: int) -> tuple[Directory, int]:
        """Return the directory at an offset, and the offset of the next one.

        Raises NoDirectory or OSError.
        """
        head, entry, value, counts = (8, 20, 8, "QQ") if self.big else (2, 12, 4, "II")
        raw = self.bytes_at(offset, head)
        if len(raw) < head or offset < 8:
            raise NoDirectory("it is past the end of the file")
        (count,) = struct.unpack(self.order + ("Q" if self.big else "H"), raw)
        if not 0 < count <= _MAX_FIELDS:
            raise NoDirectory(f"it has {count:,} fields")
        raw = self.bytes_at(offset + head, count * entry + value)
        if len(raw) < count * entry:
            raise NoDirectory("it is cut off")
        fields: dict[int, Field] = {}
        lost: set[int] = set()
        last = -1
        for i in range(count):
            tag, kind = struct.unpack_from(self.order + "HH", raw, i * entry)
            number, place = struct.unpack_from(self.order + counts, raw, i * entry + 4)
            if tag < last:
                self.note("TIFF: the tags are not in ascending order")
            last = tag
            if tag in fields:
                self.note(f"TIFF: the tag {tag_name(tag)} is there twice; the first one is used")
                continue
            if kind not in _SIZES:
                self.note(f"TIFF: the tag {tag_name(tag)} has an unknown type; ignored")
                lost.add(tag)
                continue
            if number * _SIZES[kind] <= value:
                place = offset + head + i * entry + entry - value
            elif place + number * _SIZES[kind] > self.size:
                self.note(
                    f"TIFF: the values of the tag {tag_name(tag)} are past the end of the file; ignored"
                )
                lost.add(tag)
                continue
            fields[tag] = Field(kind, number, place)
        found = Directory(self, offset, fields, frozenset(lost))
        following = raw[count * entry :]
        if len(following) < value:
            self.note("TIFF: the file ends before the offset of the next directory; taken as none")
            return found, 0
        return found, int.from_bytes(following, "little" if self.order == "<" else "big")


def open_tiff(file: BufferedReader, size: int) -> TiffFile:
    """Read the header and the chain of directories of an open TIFF of `size` bytes.

    Raises NoDirectory if there is not even a first one, or OSError.
    """
    tiff = TiffFile(file, size)
    head = tiff.bytes_at(0, 16)
    tiff.order = "<" if head[:2] == b"II" else ">"
    tiff.big = head[2:4] in {b"+\0", b"\0+"}
    if len(head) < (16 if tiff.big else 8):
        raise NoDirectory("the file ends in its header")
    (first,) = struct.unpack_from(tiff.order + ("Q" if tiff.big else "I"), head, 8 if tiff.big else 4)
    directory, following = tiff.directory(first)
    tiff.directories.append(directory)
    tiff.directories.extend(_following_directories(tiff, first, following))
    _note_odd_texts(tiff.directories[0])
    return tiff


def _following_directories(tiff: TiffFile, first: int, following: int) -> Iterator[Directory]:
    seen = {first}
    while following:
        if following in seen:
            tiff.note("TIFF: the next-IFD offset leads back to a directory that was read; ignored")
            return
        if len(seen) > MAX_DIRECTORIES:
            return
        seen.add(following)
        try:
            directory, further = tiff.directory(following)
        except NoDirectory as error:
            if following >= tiff.size:
                tiff.note("TIFF: the next-IFD offset points past the end of the file; ignored")
            else:
                tiff.note(f"TIFF: the next-IFD offset does not point to a directory ({error}); ignored")
            return
        if not {TagCode.IMAGE_WIDTH, TagCode.IMAGE_LENGTH} <= set(directory.fields):
            tiff.note("TIFF: the next-IFD offset does not point to a picture; ignored")
            return
        yield directory
        following = further


def _note_odd_texts(directory: Directory) -> None:
    """Note texts that do not end with a single NUL (TIFF 6.0, section 2)."""
    for tag, one in directory.fields.items():
        if one.kind != _ASCII:
            continue
        text = directory.file.bytes_at(one.offset, one.size) if one.size <= 1 << 16 else None
        if not one.count:
            directory.file.note(f"TIFF: the text of the tag {tag_name(tag)} is empty")
        elif text is not None and not text.endswith(b"\0"):
            directory.file.note(f"TIFF: the text of the tag {tag_name(tag)} does not end with NUL")
        elif text is not None and len(text) > 2 and text.endswith(b"\0\0"):
            directory.file.note(f"TIFF: the text of the tag {tag_name(tag)} is padded with NUL")
