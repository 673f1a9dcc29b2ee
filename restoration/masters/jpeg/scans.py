"""Scans of a JPEG: where their entropy-coded data end, and whether together they hold every coefficient."""

import re
from collections.abc import Sequence
from io import BufferedReader
from typing import BinaryIO, Final

from restoration.masters.jpeg.markers import (
    PROGRESSIVE,
    RESTARTS,
    SOS,
    Frame,
    Segment,
    find_frame,
    read_segments,
)

_MARKER: Final = re.compile(rb"\xff+([\x01-\xfe])")
_CHUNK: Final = 1 << 20
_COEFFICIENTS: Final = 64
_PROGRESSIVE_FRAMES: Final = frozenset({PROGRESSIVE, 0xCA})
"""Frames whose scans hold some of the coefficients each; Huffman and arithmetic coding."""


def next_marker(file: BinaryIO, at: int) -> tuple[int, int, int | None]:
    """Return start, end and code of the next marker in entropy-coded data; the code is None at the end."""
    while True:
        file.seek(at)
        chunk = file.read(_CHUNK)
        found = _MARKER.search(chunk)
        if found:
            return at + found.start(), at + found.end(), found.group(1)[0]
        if len(chunk) < _CHUNK:
            return at + len(chunk), at + len(chunk), None
        at += len(chunk) - 1 if chunk.endswith(b"\xff") else len(chunk)


def lacks_scans(file: BufferedReader) -> bool:
    """Return whether the scans leave out coefficients, or bits of them, which libjpeg silently takes as zero.

    False without any scan or frame header: libjpeg complains of that itself.
    """
    header = list(read_segments(file))
    frame = find_frame(header)
    if frame is None or header[-1].marker != SOS:
        return False
    scans = [header[-1]]
    at = header[-1].end
    while not holds_every_coefficient(frame, scans):
        _, end, marker = next_marker(file, at)
        if marker is None:
            return True
        if marker in RESTARTS:
            at = end
            continue
        following = list(read_segments(file, end - 2))
        if not following or following[-1].marker != SOS:
            return True
        scans.append(following[-1])
        at = following[-1].end
    return False


def holds_every_coefficient(frame: Frame, scans: Sequence[Segment]) -> bool:
    """Return whether scan headers announce every coefficient of every component, to its last bit.

    See ITU-T T.81, G.1.1: spectral selection and successive approximation.
    """
    missing_bits: dict[int, list[int | None]] = {
        identifier: [None] * _COEFFICIENTS for identifier, _, _ in frame.components
    }
    for scan in scans:
        content = scan.content
        count = content[0] if content else 0
        if len(content) < 1 + 2 * count + 3:
            return False
        first, last, high, low = content[-3], content[-2], content[-1] >> 4, content[-1] & 15
        if frame.marker not in _PROGRESSIVE_FRAMES:
            first, last, high, low = 0, _COEFFICIENTS - 1, 0, 0
        for i in range(count):
            bits = missing_bits.get(content[1 + 2 * i], [])
            for k in range(first, min(last + 1, len(bits))):
                if high in {0, bits[k]}:  # a first scan, or a refinement that leaves no bit out
                    bits[k] = low
    return all(left == 0 for bits in missing_bits.values() for left in bits)
