"""Whether the data of a JPEG hold every pixel, told without decoding a bit.

libjpeg fills up what is missing before a marker, with gray, and only warns. So the picture is decoded a
second time with meaningless bytes before each marker that ends entropy-coded data: a decoder that has all its
pixels by then skips them, one that lacks any makes another picture of them.
"""

import re
from collections.abc import Iterator
from typing import Final

_ENDS: Final = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
"""What ends a scan: neither a stuffed 0xFF nor a restart."""
_RESTART: Final = re.compile(rb"\xff+[\xd0-\xd7]")
_ARITHMETIC: Final = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
"""Frames whose scans are coded arithmetically, not by Huffman."""
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_MEANINGLESS: Final = bytes.fromhex("5a13c727b4692a915c4791e83d6cb5b2") * 16


def with_probes(data: bytes) -> bytes:
    """Return a JPEG with meaningless bytes after all entropy-coded data, and with an end."""
    data = _trimmed(data)
    parts, last = [], 0
    for start, end in _scans(data):
        parts += [data[last:start], _RESTART.sub(_before_restart, data[start:end]), _MEANINGLESS]
        last = end
    return b"".join(parts) + data[last:] + b"\xff\xd9"


def with_end_marker(data: bytes) -> bytes:
    """Return a JPEG with an end, if it lacks one or not."""
    return _trimmed(data) + b"\xff\xd9"


def with_tables(data: bytes, tables: bytes | None) -> bytes:
    """Return an abbreviated JPEG with its tables in front, as a picture of its own."""
    if not tables or not data.startswith(b"\xff\xd8"):
        return data
    return tables.removesuffix(b"\xff\xd9") + data[2:]


def _trimmed(data: bytes) -> bytes:
    """Return a JPEG with one start marker, and without the beginning of an end marker that was cut off."""
    while data.startswith(b"\xff\xd8\xff\xd8"):
        data = data[2:]
    return data.rstrip(b"\xff")


def _before_restart(found: "re.Match[bytes]") -> bytes:
    return _MEANINGLESS + found.group()


def _scans(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the entropy-coded data of each scan begin and end."""
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker in {0x00, 0xFF}:
            at += 1  # padding
        elif marker == _EOI:
            return
        elif marker in {_SOI, 0x01} or 0xD0 <= marker <= 0xD7:
            at += 2
        elif marker in _ARITHMETIC:
            return  # its decoder reads on beyond the end of data: they cannot be told apart from others
        else:
            following = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if marker == _SOS:
                found = _ENDS.search(data, following)
                end = found.start() if found else len(data)
                yield following, end
                at = end
            else:
                at = following
