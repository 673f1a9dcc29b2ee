"""The chunks of a PNG: whether they are sound, and which of them nobody here knows.

What is damaged beside the pixels is passed over by decoders in silence. Here it is told, and nothing is taken
from it.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from restoration.errors import TruncatedImage, UnsupportedImage

_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_MOST_NOTES: Final = 16
_SLICE: Final = 1 << 20
_GRAY, _RGB, _PALETTE = 0, 2, 3


@dataclass(frozen=True, slots=True)
class Chunk:
    """Kind, place and soundness of a chunk."""

    kind: bytes
    start: int
    """Of its content."""
    length: int
    sound: bool
    """Whether it is all there and has the checksum that it tells; true of pixel data, which are not read."""


def read_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """Yield each chunk, with the file at its content, as far as they can be followed."""
    size = file.seek(0, 2)
    at = 8
    while True:
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            return
        length, kind = struct.unpack(">I4s", header)
        whole = at + length + 12 <= size
        sound = kind == b"IDAT" or (whole and _is_sound(file, kind, length))
        file.seek(at + 8)
        yield Chunk(kind, at + 8, length, sound)
        at += length + 12


def check_chunks(file: BinaryIO, path: Path) -> tuple[str, ...]:
    """Return what is passed over.

    Raises UnsupportedImage for an unknown chunk that pixels depend on, TruncatedImage for a damaged one.
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
            raise _unknown(name, path)
        elif one.kind == b"tRNS" and not one.sound and not data:
            raise TruncatedImage(
                reason="the chunk that tells which pixels are transparent is damaged (tRNS)",
                remedy="copy or scan it again",
                path=path,
            )
        elif name[0].islower() and not one.sound:
            found[f"PNG: chunk {name} is damaged; ignored"] = None
        elif one.kind == b"tRNS" and not transparency_fits(color, one.length, entries):
            found["PNG: chunk tRNS has a wrong length; ignored"] = None
    return tuple(found)[:_MOST_NOTES]


def transparency_fits(color: int, length: int, entries: int) -> bool:
    """Whether tRNS has the length of a transparent color, or of as many alphas as the palette has entries."""
    if color == _PALETTE:
        return 0 < length <= entries
    return length == {_GRAY: 2, _RGB: 6}.get(color)


def _is_sound(file: BinaryIO, kind: bytes, length: int) -> bool:
    check, left = zlib.crc32(kind), length
    while left:
        part = file.read(min(left, _SLICE))
        if not part:
            return False
        check = zlib.crc32(part, check)
        left -= len(part)
    return file.read(4) == struct.pack(">I", check)


def _unknown(name: str, path: Path) -> UnsupportedImage:
    return UnsupportedImage(
        reason=f"it is a PNG with a chunk that is not known here and that its pixels depend on ({name})",
        remedy="convert it to an 8- or 16-bit gray or RGB TIFF with a program that shows it",
        path=path,
    )
