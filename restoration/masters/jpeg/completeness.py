"""Completeness of a JPEG: variants of its bytes that decode differently if pixels are missing.

libjpeg fills missing data before a marker with gray and only warns. So the picture is decoded twice, once
with probe bytes inserted before each marker that ends entropy-coded data (ITU-T T.81, B.1.1.5). A decoder
that has all its pixels by then skips them; a decoder that lacks some turns them into other pixels.
"""

import re
from collections.abc import Iterator
from typing import Final

PROBE: Final = bytes.fromhex("5a13c727b4692a915c4791e83d6cb5b2") * 16
"""Bytes that mean nothing, and contain no marker."""
_SCAN_END: Final = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
"""Any marker but a stuffed 0xFF and a restart marker."""
_RESTART: Final = re.compile(rb"\xff+[\xd0-\xd7]")
_ARITHMETIC: Final = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
"""Frames with arithmetic instead of Huffman coding."""
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA


def with_probes(data: bytes) -> bytes:
    """Return a JPEG with probe bytes after all entropy-coded data, and with an end marker."""
    data = _trimmed(data)
    parts, last = [], 0
    for start, end in _scans(data):
        probed = _RESTART.sub(lambda restart: PROBE + restart.group(), data[start:end])
        parts += [data[last:start], probed, PROBE]
        last = end
    return b"".join(parts) + data[last:] + b"\xff\xd9"


def with_end_marker(data: bytes) -> bytes:
    """Return a JPEG with an end marker, whether it has one already or not."""
    return _trimmed(data) + b"\xff\xd9"


def with_tables(data: bytes, tables: bytes | None) -> bytes:
    """Return an abbreviated JPEG of a TIFF with its tables (tag JPEGTables) as a picture of its own."""
    if not tables or not data.startswith(b"\xff\xd8"):
        return data
    return tables.removesuffix(b"\xff\xd9") + data[2:]


def _trimmed(data: bytes) -> bytes:
    """Return a JPEG with a single start marker, and without a truncated marker at its end."""
    while data.startswith(b"\xff\xd8\xff\xd8"):
        data = data[2:]
    return data.rstrip(b"\xff")


def _scans(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield start and end of the entropy-coded data of each scan."""
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
            return  # its decoder reads beyond the end of the data, so the probe would prove nothing
        else:
            following = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            if marker == _SOS:
                found = _SCAN_END.search(data, following)
                end = found.start() if found else len(data)
                yield following, end
                at = end
            else:
                at = following
