"""The marker segments of a JPEG up to its first scan, and what its frame is.

Bytes that belong to no segment are passed over, as decoders do; where they lie is told.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from restoration.errors import UnsupportedImage

SOI, EOI, SOS, DRI, COM, APP_0, APP_1 = 0xD8, 0xD9, 0xDA, 0xDD, 0xFE, 0xE0, 0xE1
XMP_HEAD: Final = b"http://ns.adobe.com/xap/1.0/\0"
"""What the content of a segment APP1 begins with that holds an XMP packet."""
_STANDALONE: Final = frozenset({0x01, SOI, EOI, *range(0xD0, 0xD8)})
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MOST_SEGMENTS: Final = 10_000
_MOST_JUNK: Final = 1 << 16

BASELINE: Final = frozenset({0xC0, 0xC1})
"""Sequential frames with Huffman coding."""
PROGRESSIVE: Final = 0xC2
_LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
_HIERARCHICAL: Final = frozenset({0xC5, 0xC6, 0xCD, 0xCE})
ARITHMETIC: Final = frozenset({0xC9, 0xCA})


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and what follows it."""

    marker: int
    start: int
    """Of its 0xFF."""
    content: bytes
    """Without marker and length."""

    @property
    def end(self) -> int:
        """Offset behind it."""
        return self.start + 2 + (0 if self.marker in _STANDALONE else 2 + len(self.content))


@dataclass(frozen=True, slots=True)
class Frame:
    """What the start of frame says."""

    marker: int
    precision: int
    height: int
    width: int
    components: tuple[tuple[int, int, int], ...]
    """Identifier, and sampling factors across and down."""


def read_segments(file: BinaryIO, at: int = 0) -> Iterator[Segment]:
    """Yield the segments from an offset to the first start of scan, or so far as they can be followed."""
    for _ in range(_MOST_SEGMENTS):
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
        one = Segment(marker, start, content)
        yield one
        at = one.end
        if marker == SOS:
            return


def find_frame(header: Iterable[Segment]) -> Frame | None:
    """Return what the first start of frame among segments says; None if there is none."""
    return next(filter(None, map(parse_frame, header)), None)


def parse_frame(segment: Segment) -> Frame | None:
    """Return what a start of frame says; None if the segment is none, or is too short."""
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
    """Raise UnsupportedImage for a kind of JPEG that is known to be read by no decoder here."""
    header = list(read_segments(file))
    if any(one.marker == SOI for one in itertools.dropwhile(lambda one: one.marker == SOI, header)):
        raise _unsupported(path, "it is not a well-formed JPEG: a start marker is among its segments")
    frame = find_frame(header)
    if frame is None:
        return
    reason = None
    if frame.marker in _LOSSLESS:
        reason = "it is a lossless JPEG"
    elif frame.marker in _HIERARCHICAL:
        reason = "it is a hierarchical JPEG"
    elif frame.precision != 8:
        reason = f"it is a JPEG of {frame.precision} bits a sample; 8 are read"
    elif frame.height == 0:
        reason = "it is a JPEG that tells its height only after its pixels (DNL)"
    elif len(frame.components) == 4:
        reason = "it is a CMYK JPEG"
    elif len(frame.components) not in {1, 3}:
        reason = f"it is a JPEG with {len(frame.components)} channels"
    if reason:
        raise _unsupported(path, reason)


def _unsupported(path: Path, reason: str) -> UnsupportedImage:
    """Return the error for a JPEG of a kind that is not read."""
    return UnsupportedImage(
        reason=reason,
        remedy="convert it to an 8- or 16-bit gray or RGB TIFF with a program that shows it",
        path=path,
    )


def _next_marker(file: BinaryIO, at: int) -> tuple[int, int] | None:
    """Return where the next marker begins, at its last 0xFF, and the marker."""
    file.seek(at)
    near = file.read(2)
    if near[:1] != b"\xff" or near[1:] in {b"\x00", b"\xff"}:
        near += file.read(_MOST_JUNK - len(near))
    for i in range(len(near) - 1):
        if near[i] == 0xFF and near[i + 1] not in {0x00, 0xFF}:
            return at + i, near[i + 1]
    return None
