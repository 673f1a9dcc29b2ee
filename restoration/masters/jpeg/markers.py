"""Marker segments of a JPEG up to its first scan, and its frame header (ITU-T T.81, annex B).

Bytes between segments are skipped, as decoders do; `Segment.start` and `Segment.end` show where they are.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from restoration.masters.refusals import CONVERT_WITH_VIEWER, unsupported

SOI, EOI, SOS, DRI, COM, APP_0, APP_1 = 0xD8, 0xD9, 0xDA, 0xDD, 0xFE, 0xE0, 0xE1
RESTARTS: Final = range(0xD0, 0xD8)
XMP_HEAD: Final = b"http://ns.adobe.com/xap/1.0/\0"
"""Start of an APP1 segment that holds an XMP packet (XMP part 3, 1.1.3)."""
_STANDALONE: Final = frozenset({0x01, SOI, EOI, *RESTARTS})
"""Markers without a length and content."""
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MAX_SEGMENTS: Final = 10_000
_MAX_JUNK: Final = 1 << 16

BASELINE: Final = frozenset({0xC0, 0xC1})
"""Sequential frames with Huffman coding."""
PROGRESSIVE: Final = 0xC2
_LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_HIERARCHICAL: Final = frozenset({0xC5, 0xC6, 0xCD, 0xCE})
ARITHMETIC: Final = frozenset({0xC9, 0xCA})


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and its content."""

    marker: int
    start: int
    """Offset of the 0xFF of the marker."""
    content: bytes
    """Without marker and length."""

    @property
    def end(self) -> int:
        """Offset after the segment."""
        return self.start + 2 + (0 if self.marker in _STANDALONE else 2 + len(self.content))


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame header (start of frame)."""

    marker: int
    precision: int
    height: int
    width: int
    components: tuple[tuple[int, int, int], ...]
    """Identifier, and sampling factors across and down."""


def read_segments(file: BinaryIO, at: int = 0) -> Iterator[Segment]:
    """Yield the segments from an offset to the first start of scan, or to the first unreadable segment."""
    for _ in range(_MAX_SEGMENTS):
        found = _next_marker(file, at)
        if found is None:
            return
        start, marker = found
        if marker in _STANDALONE:
            yield Segment(marker, start, b"")
            at = start + 2
            if marker == EOI:
                return
            continue
        file.seek(start + 2)
        length = int.from_bytes(file.read(2), "big")
        content = file.read(max(0, length - 2))
        if length < 2 or len(content) < length - 2:
            return
        segment = Segment(marker, start, content)
        yield segment
        at = segment.end
        if marker == SOS:
            return


def find_frame(segments: Iterable[Segment]) -> Frame | None:
    """Return the first frame header among segments, None if there is none."""
    return next(filter(None, map(parse_frame, segments)), None)


def parse_frame(segment: Segment) -> Frame | None:
    """Return the frame header in a segment, None if it holds none or is too short."""
    content = segment.content
    if segment.marker not in _FRAMES or len(content) < 6 or len(content) < 6 + 3 * content[5]:
        return None
    parts = (content[6 + 3 * i : 9 + 3 * i] for i in range(content[5]))
    return Frame(
        segment.marker,
        content[0],
        int.from_bytes(content[1:3], "big"),
        int.from_bytes(content[3:5], "big"),
        tuple((part[0], part[1] >> 4, part[1] & 15) for part in parts),
    )


def refuse_unsupported(file: BinaryIO, path: Path) -> None:
    """Raise UnsupportedImage for a kind of JPEG that no decoder here reads."""
    segments = list(read_segments(file))
    reason = None
    frame = find_frame(segments)
    if any(one.marker == SOI for one in itertools.dropwhile(lambda one: one.marker == SOI, segments)):
        reason = "it is not a well-formed JPEG: a start marker is among its segments"
    elif frame is None:
        return
    elif frame.marker in _LOSSLESS:
        reason = "it is a lossless JPEG"
    elif frame.marker in _HIERARCHICAL:
        reason = "it is a hierarchical JPEG"
    elif frame.precision != 8:
        reason = f"it is a JPEG with {frame.precision} bits per sample; only 8 are supported"
    elif frame.height == 0:
        reason = "it is a JPEG that gives its height only after its pixels (DNL)"
    elif len(frame.components) == 4:
        reason = "it is a CMYK JPEG"
    elif len(frame.components) not in {1, 3}:
        reason = f"it is a JPEG with {len(frame.components)} channels"
    if reason:
        raise unsupported(path, reason, CONVERT_WITH_VIEWER)


def _next_marker(file: BinaryIO, at: int) -> tuple[int, int] | None:
    """Return the offset of the next marker, at its last 0xFF, and the marker."""
    file.seek(at)
    near = file.read(2)
    if near[:1] != b"\xff" or near[1:] in {b"\x00", b"\xff"}:
        near += file.read(_MAX_JUNK - len(near))
    for i in range(len(near) - 1):
        if near[i] == 0xFF and near[i + 1] not in {0x00, 0xFF}:
            return at + i, near[i + 1]
    return None
