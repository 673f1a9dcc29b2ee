"""Chunks of a PNG: which are damaged, and which are unknown.

Decoders skip damaged chunks silently. Here they are noted, and nothing is read from them. See the PNG
specification (ISO/IEC 15948), sections 5 and 14.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from restoration.masters.refusals import CONVERT_WITH_VIEWER, truncated, unsupported

_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_MAX_NOTES: Final = 16
_SLICE: Final = 1 << 20
_GRAY, _RGB, _PALETTE = 0, 2, 3


@dataclass(frozen=True, slots=True)
class Chunk:
    """Kind, place and integrity of a chunk."""

    kind: bytes
    start: int
    """Offset of its content."""
    length: int
    sound: bool
    """True if it is complete and has the right checksum; true for pixel data, which are not read here."""


def read_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """Yield each chunk, with the file positioned at its content, up to the first that cannot be followed."""
    size = file.seek(0, 2)
    at = 8
    while True:
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            return
        length, kind = struct.unpack(">I4s", header)
        complete = at + length + 12 <= size
        sound = kind == b"IDAT" or (complete and _has_right_checksum(file, kind, length))
        file.seek(at + 8)
        yield Chunk(kind, at + 8, length, sound)
        at += length + 12


def check_chunks(file: BinaryIO, path: Path) -> tuple[str, ...]:
    """Return notes about the chunks that are ignored.

    Raises UnsupportedImage for an unknown chunk that the pixels depend on, TruncatedImage for a damaged one.
    """
    found: dict[str, None] = {}
    color, entries, data = _GRAY, 0, False
    for one in read_chunks(file):
        name = one.kind.decode("latin-1")
        if one.kind == b"IEND" or not (name.isascii() and name.isalpha()):
            break
        data = data or one.kind == b"IDAT"
        if one.kind == b"IHDR" and one.sound and one.length >= 10:
            color = file.read(10)[9]
        elif one.kind == b"PLTE":
            entries = one.length // 3
        elif name[0].isupper() and one.sound and one.kind not in _CRITICAL:
            raise unsupported(
                path,
                f"it is a PNG with an unknown chunk that its pixels depend on ({name})",
                CONVERT_WITH_VIEWER,
            )
        elif one.kind == b"tRNS" and not one.sound and not data:
            raise truncated(path, "the chunk with its transparency is damaged (tRNS)")
        elif name[0].islower() and not one.sound:
            found[f"PNG: chunk {name} is damaged; ignored"] = None
        elif one.kind == b"tRNS" and not transparency_fits(color, one.length, entries):
            found["PNG: chunk tRNS has a wrong length; ignored"] = None
    return tuple(found)[:_MAX_NOTES]


def transparency_fits(color: int, length: int, entries: int) -> bool:
    """Return whether tRNS has the length of one color, or of at most one alpha per palette entry."""
    if color == _PALETTE:
        return 0 < length <= entries
    return length == {_GRAY: 2, _RGB: 6}.get(color)


def _has_right_checksum(file: BinaryIO, kind: bytes, length: int) -> bool:
    check, left = zlib.crc32(kind), length
    while left:
        part = file.read(min(left, _SLICE))
        if not part:
            return False
        check = zlib.crc32(part, check)
        left -= len(part)
    return file.read(4) == struct.pack(">I", check)
