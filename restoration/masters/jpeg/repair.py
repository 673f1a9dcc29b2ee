"""How a JPEG that libjpeg complains of is shown to it without what is odd and no pixel.

Padding before restart markers, bytes between segments, parameters of a scan that say nothing, a missing end
marker: libjpeg warns of them as it warns of damage. They are left out or put right in what it is shown, the
file itself is untouched, and it is asked again with every warning an error. So whatever is missing or damaged
is refused all the same. Padding is what is behind the last bit that the decoder needs, if it is the same byte
over and over.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BufferedReader
from typing import BinaryIO, Final

import pyvips

from restoration.masters.jpeg import markers
from restoration.masters.jpeg.markers import BASELINE, DRI, EOI, PROGRESSIVE, SOI, SOS, Frame, Segment
from restoration.masters.patched_file import Part

_MARKER: Final = re.compile(rb"\xff+([\x01-\xfe])")
_CHUNK: Final = 1 << 20
_TAIL: Final = 4_096
_MOST_PADDING: Final = 1 << 20
_LEAST_RUN: Final = 16
"""Bytes other than zero that are padding if they are all the same."""
_MOST_INTERVAL: Final = 1 << 24
_MOST_SIDE: Final = 65_500
_RESTARTS: Final = range(0xD0, 0xD8)
_COPIES: Final = 3
_MEANINGLESS: Final = bytes.fromhex("5a13c727b4692a915c4791e83d6cb5b2") * 16
_EVERY_COEFFICIENT: Final = 64
_PROGRESSIVES: Final = frozenset({PROGRESSIVE, 0xCA})
"""Frames whose scans bring some of the coefficients, coded by Huffman or arithmetically."""


@dataclass(frozen=True, slots=True)
class RepairedJpeg:
    """What libjpeg is to be shown."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    probe: tuple[Part, ...] | None = None
    """The same with meaningless bytes before the end marker that was absent: if other pixels are decoded from
    it, some are missing. None if libjpeg has all data before it gives the first row."""


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    instead: bytes
    note: str


def repair_header(file: BufferedReader) -> RepairedJpeg | None:
    """Return the file without what is odd before its first scan; None if there is nothing."""
    header = list(markers.read_segments(file))
    return _applied(file, [*_starts(header), *_header_edits(header)], sequential=False)


def may_lack_end_marker(file: BufferedReader) -> bool:
    """Whether the file does not end with the end marker, and white space or zeros at most behind it.

    libjpeg misses the marker only if it has to read that far.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    return not file.read(_TAIL).rstrip(b"\0 \r\n").endswith(bytes((0xFF, EOI)))


def repair_stream(file: BufferedReader) -> RepairedJpeg | None:
    """Return the file without what is odd in it; None if there is nothing, or if it lacks whole scans."""
    header = list(markers.read_segments(file))
    if not header or header[-1].marker != SOS:
        return None
    edits = [*_starts(header), *_header_edits(header)]
    frame = markers.find_frame(header)
    if frame is None:
        return None
    scans = [header[-1]]
    interval = _Intervals.of(header, frame)
    at = header[-1].end
    begin = at
    while True:
        start, end, marker = _entropy_end(file, at)
        if interval and marker in _RESTARTS and (padding := _padding_before(file, begin, start)):
            needed = interval.needed(file, begin, start - len(padding), padding)
            if needed is not None and needed < len(padding):
                edits.append(_Edit(start - len(padding) + needed, start, b"", _PADDED))
        if marker is None:
            if not _is_complete(frame, scans):
                return None
            edits.append(_Edit(start - _fill_before(file, start), start, bytes((0xFF, EOI)), _ENDLESS))
            break
        if marker in _RESTARTS:
            at = begin = end
            if interval:
                interval.number += 1
            continue
        following = list(markers.read_segments(file, end - 2))
        if not following or following[-1].marker != SOS:
            break  # the end marker, or what libjpeg will complain of again
        edits += _header_edits([Segment(SOI, end - 4, b""), *following])
        scans.append(following[-1])
        interval = None
        at = begin = following[-1].end
    return _applied(file, edits, sequential=frame.marker != PROGRESSIVE)


_PADDED: Final = "JPEG: there is padding before its restart markers; passed over"
_ENDLESS: Final = "JPEG: the end marker is missing; every pixel is there"
_BETWEEN: Final = "JPEG: there are bytes between its segments that belong to none; passed over"
_PARAMETERS: Final = "JPEG: the parameters of its scan are none of a sequential JPEG; passed over"
_VERSION: Final = "JPEG: its JFIF version is unknown; passed over"
_STARTS: Final = "JPEG: its start marker is there more than once; passed over"
_TRANSFORM: Final = "JPEG: its Adobe color transform is unknown; taken as YCbCr"


def _starts(header: list[Segment]) -> Iterator[_Edit]:
    """Yield what takes away the start markers that follow the first one before anything else does."""
    for one in itertools.takewhile(lambda one: one.marker == SOI, header):
        if one.start > 0:
            yield _Edit(one.start, one.end, b"", _STARTS)


def _header_edits(header: list[Segment]) -> Iterator[_Edit]:
    sequential = any(one.marker in BASELINE for one in header)
    for before, one in itertools.pairwise(header):
        if one.start > before.end:
            yield _Edit(before.end, one.start, b"", _BETWEEN)
    for one in header:
        content = one.content
        if one.marker == SOS and sequential and content[-3:] != b"\x00\x3f\x00" and len(content) >= 6:
            yield _Edit(one.end - 3, one.end, b"\x00\x3f\x00", _PARAMETERS)
        elif one.marker == 0xE0 and content.startswith(b"JFIF\0") and len(content) >= 14 and content[5] != 1:
            yield _Edit(one.start + 9, one.start + 10, b"\x01", _VERSION)
        elif one.marker == 0xEE and content.startswith(b"Adobe") and len(content) >= 12 and content[11] > 2:
            yield _Edit(one.start + 15, one.start + 16, b"\x01", _TRANSFORM)


def _applied(file: BufferedReader, edits: list[_Edit], *, sequential: bool) -> RepairedJpeg | None:
    if not edits:
        return None
    edits.sort(key=lambda one: one.start)
    notes = tuple(dict.fromkeys(edit.note for edit in edits))
    size = file.seek(0, 2)
    parts = _parts(edits, size)
    if edits[-1].note != _ENDLESS or not sequential:
        return RepairedJpeg(parts, notes)
    last = edits[-1]
    probe = [*edits[:-1], replace(last, instead=_MEANINGLESS + last.instead)]
    return RepairedJpeg(parts, notes, _parts(probe, size))


def _parts(edits: list[_Edit], size: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    at = 0
    for edit in edits:
        parts += [(at, edit.start - at), edit.instead]
        at = edit.end
    return (*parts, (at, size - at))


def _entropy_end(file: BinaryIO, at: int) -> tuple[int, int, int | None]:
    """Return start and end of the next marker in entropy-coded data, and the marker, None at the end."""
    while True:
        file.seek(at)
        chunk = file.read(_CHUNK)
        found = _MARKER.search(chunk)
        if found:
            return at + found.start(), at + found.end(), found.group(1)[0]
        if len(chunk) < _CHUNK:
            return at + len(chunk), at + len(chunk), None
        at += len(chunk) - 1 if chunk.endswith(b"\xff") else len(chunk)


def _fill_before(file: BinaryIO, end: int) -> int:
    """Return how many 0xFF end the data: the beginning of a marker that was cut off."""
    file.seek(max(0, end - 1024))
    data = file.read(min(end, 1024))
    return len(data) - len(data.rstrip(b"\xff"))


def _padding_before(file: BinaryIO, begin: int, end: int) -> bytes:
    """Return the run of one byte that ends the data: zeros, or at least so many of another.

    A zero that belongs to a stuffed 0xFF is none of them.
    """
    first = max(begin, end - _MOST_PADDING)
    near = max(first, end - _LEAST_RUN)
    file.seek(near)
    last = file.read(end - near)
    if last and last != last[-1:] * len(last):
        first = near
    file.seek(first)
    data = file.read(end - first)
    byte = data[-1:]
    kept = data.rstrip(byte) if byte else data
    run = len(data) - len(kept)
    if byte == b"\0":
        run -= kept.endswith(b"\xff")
    elif run < _LEAST_RUN:
        run = 0
    return byte * run


def lacks_scans(file: BufferedReader) -> bool:
    """Whether the scans leave out coefficients, or bits of them: libjpeg takes these for zeros in silence.

    False if there is no scan at all, or no frame: libjpeg complains of that.
    """
    header = list(markers.read_segments(file))
    frame = markers.find_frame(header)
    if frame is None or header[-1].marker != SOS:
        return False
    scans = [header[-1]]
    at = header[-1].end
    while not _is_complete(frame, scans):
        _, end, marker = _entropy_end(file, at)
        if marker is None:
            return True
        if marker in _RESTARTS:
            at = end
            continue
        following = list(markers.read_segments(file, end - 2))
        if not following or following[-1].marker != SOS:
            return True
        scans.append(following[-1])
        at = following[-1].end
    return False


def _is_complete(frame: Frame, scans: list[Segment]) -> bool:
    """Whether the scans bring every coefficient of every component, to its last bit."""
    missing: dict[int, list[int | None]] = {
        identifier: [None] * _EVERY_COEFFICIENT for identifier, _, _ in frame.components
    }
    for scan in scans:
        content = scan.content
        count = content[0] if content else 0
        if len(content) < 1 + 2 * count + 3:
            return False
        first, last, high, low = content[-3], content[-2], content[-1] >> 4, content[-1] & 15
        if frame.marker not in _PROGRESSIVES:
            first, last, high, low = 0, _EVERY_COEFFICIENT - 1, 0, 0
        for i in range(count):
            bits = missing.get(content[1 + 2 * i], [])
            for k in range(first, min(last + 1, len(bits))):
                if high in {0, bits[k]}:  # it refines what the scans before it brought, none left out
                    bits[k] = low
    return all(left == 0 for bits in missing.values() for left in bits)


@dataclass(slots=True)
class _Intervals:
    """Restart intervals of a single sequential scan; each is a picture of its own for libjpeg."""

    tables: bytes
    scan: bytes
    frame: Frame
    frame_content: bytes
    units: int
    """Minimum coded units of an interval."""
    total: int
    across: int
    """Of a row of the picture."""
    unit: tuple[int, int]
    """Pixels of one, across and down."""
    number: int = 0

    @classmethod
    def of(cls, header: list[Segment], frame: Frame) -> "_Intervals | None":
        restarts = [one.content for one in header if one.marker == DRI and len(one.content) == 2]
        scan = header[-1].content
        start = next(one for one in header if markers.parse_frame(one))
        if frame.marker not in BASELINE or not restarts or not scan or scan[0] != len(frame.components):
            return None
        units = int.from_bytes(restarts[-1], "big")
        single = len(frame.components) == 1
        unit = (
            (8, 8)
            if single
            else (8 * max(one[1] for one in frame.components), 8 * max(one[2] for one in frame.components))
        )
        if not units or min(unit) < 8:
            return None
        across, down = -(-frame.width // unit[0]), -(-frame.height // unit[1])
        tables = b"".join(_written(one.marker, one.content) for one in header if one.marker in {0xDB, 0xC4})
        return cls(
            tables, scan[:-3] + b"\x00\x3f\x00", frame, start.content, units, across * down, across, unit
        )

    def needed(self, file: BinaryIO, begin: int, end: int, padding: bytes) -> int | None:
        """Return how much of what looks like padding is data; None if that cannot be told."""
        units = min(self.units, self.total - self.number * self.units)
        if units * self.unit[0] <= _MOST_SIDE:
            size = (units * self.unit[0], self.unit[1])
        elif units % self.across == 0:
            size = (self.across * self.unit[0], units // self.across * self.unit[1])
        else:
            return None
        if units < 1 or end - begin > _MOST_INTERVAL or _COPIES * size[1] > _MOST_SIDE:
            return None
        file.seek(begin)
        data = file.read(end - begin)
        if not self._lacks(size, units, data):
            return 0  # as mostly
        low, high = 0, len(padding)
        if self._lacks(size, units, data + padding):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            if self._lacks(size, units, data + padding[:middle]):
                low = middle
            else:
                high = middle
        return high

    def _lacks(self, size: tuple[int, int], units: int, data: bytes) -> bool:
        """Whether libjpeg finds too little data for this interval; a few bytes too many it does not tell.

        The interval is repeated, for libvips tells of a row what libjpeg said of the rows before.
        """
        content = bytearray(self.frame_content)
        content[1:5] = (_COPIES * size[1]).to_bytes(2, "big") + size[0].to_bytes(2, "big")
        if len(self.frame.components) == 1:
            content[7] = 0x11
        repeated = b"".join(data + bytes((0xFF, 0xD0 + i)) for i in range(_COPIES - 1))
        parts = (
            bytes((0xFF, SOI)),
            self.tables,
            _written(DRI, units.to_bytes(2, "big")),
            _written(self.frame.marker, bytes(content)),
            _written(SOS, self.scan),
            repeated,
            data,
            bytes((0xFF, EOI)),
        )
        try:
            pyvips.Operation.call(
                "jpegload_buffer", b"".join(parts), access="sequential", fail_on="warning"
            ).write_to_memory()
        except pyvips.Error as error:
            return "premature" in str(error)
        return False


def _written(marker: int, content: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(content) + 2).to_bytes(2, "big") + content
