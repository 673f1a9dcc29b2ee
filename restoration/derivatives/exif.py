"""EXIF blocks with UTF-8 texts, as the MWG guidelines 1.01 recommend.

Pillow would write ASCII only, with "?" for all else.
"""

import struct
from collections.abc import Mapping
from typing import Final

from restoration.masters.metadata.text_encoding import legal_xml_text

_ASCII, _SHORT, _LONG = 2, 3, 4
_EXIF_IFD: Final = 34665
_WORD: Final = 4

Values = Mapping[int, str | int]
"""Texts and numbers of 16 bits, by tag."""


def text_value(text: str, most_bytes: int | None = None) -> bytes:
    """Return a text as UTF-8 with a NUL at its end, of `most_bytes` at most; it is cut between characters."""
    content = legal_xml_text(text).encode()
    if most_bytes is not None and len(content) >= most_bytes:
        content = content[: most_bytes - 1].decode("utf-8", "ignore").encode()
    return content + b"\0"


def exif_block(picture: Values, photograph: Values, most_bytes: int | None = None) -> bytes:
    """Return EXIF in its TIFF form, little-endian: the tags of the picture, and those of the EXIF directory.

    `most_bytes` holds for each text.
    """
    inner = dict(photograph)
    length = 8 + len(_directory(8, {**picture, **({_EXIF_IFD: 0} if inner else {})}, most_bytes))
    tags: dict[int, str | int] = {**picture, **({_EXIF_IFD: length} if inner else {})}
    first = _directory(8, tags, most_bytes)
    return b"II*\0" + struct.pack("<I", 8) + first + (_directory(length, inner, most_bytes) if inner else b"")


def _directory(start: int, tags: Values, most_bytes: int | None) -> bytes:
    """Return a directory that begins at `start`, with its values behind it."""
    entries, values = [], b""
    behind = start + 2 + 12 * len(tags) + 4
    for code, value in sorted(tags.items()):
        if isinstance(value, str):
            kind, content = _ASCII, text_value(value, most_bytes)
        elif code == _EXIF_IFD:
            kind, content = _LONG, struct.pack("<I", value)
        else:
            kind, content = _SHORT, struct.pack("<H", value)
        count = len(content) if kind == _ASCII else 1
        if len(content) > _WORD:
            field = struct.pack("<I", behind + len(values))
            values += content + b"\0" * (len(content) % 2)
        else:
            field = content.ljust(_WORD, b"\0")
        entries.append(struct.pack("<HHI4s", code, kind, count, field))
    return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + values
