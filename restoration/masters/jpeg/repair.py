"""Repair of odd JPEG streams that libjpeg warns of, without a change to any pixel.

libjpeg warns of harmless things as it warns of damage: padding before restart markers, bytes between
segments, meaningless scan parameters, a missing end marker. They are removed or corrected in the bytes that
libjpeg reads; the file itself is not touched. Then libjpeg decodes again with every warning an error, so data
that are missing or damaged are still refused. Bytes count as padding if they follow the last bit that the
decoder needs and all have the same value.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BufferedReader
from typing import BinaryIO, Final

from restoration.masters.jpeg.completeness import PROBE
from restoration.masters.jpeg.markers import (
    BASELINE,
    EOI,
    PROGRESSIVE,
    RESTARTS,
    SOI,
    SOS,
    Segment,
    find_frame,
    read_segments,
)
from restoration.masters.jpeg.restart_intervals import RestartIntervals
from restoration.masters.jpeg.scans import holds_every_coefficient, next_marker
from restoration.masters.patched_file import Part

_TAIL: Final = 4_096
_MAX_PADDING: Final = 1 << 20
_LEAST_RUN: Final = 16
"""Least number of equal bytes other than zero that are padding."""

_PADDED: Final = "JPEG: there is padding before its restart markers; ignored"
_ENDLESS: Final = "JPEG: the end marker is missing; every pixel is there"
_BETWEEN: Final = "JPEG: there are bytes between its segments that belong to none; ignored"
_PARAMETERS: Final = "JPEG: the parameters of its scan are not those of a sequential JPEG; ignored"
_VERSION: Final = "JPEG: its JFIF version is unknown; ignored"
_STARTS: Final = "JPEG: its start marker is there more than once; ignored"
_TRANSFORM: Final = "JPEG: its Adobe color transform is unknown; taken as YCbCr"


@dataclass(frozen=True, slots=True)
class RepairedJpeg:
    """The repaired bytes that libjpeg reads instead of the file."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    probe: tuple[Part, ...] | None = None
    """The same with probe bytes before the added end marker: if it decodes to other pixels, some are missing.
    None if libjpeg has all data before it gives the first row."""


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    replacement: bytes
    note: str


def repair_header(file: BufferedReader) -> RepairedJpeg | None:
    """Return the file with everything before its first scan repaired; None if there is nothing to repair."""
    header = list(read_segments(file))
    return _apply(file, [*_start_marker_edits(header), *_segment_edits(header)], sequential=False)


def may_lack_end_marker(file: BufferedReader) -> bool:
    """Return whether the file ends otherwise than with an end marker and white space or zeros.

    libjpeg notices a missing end marker only if it has to read that far.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    return not file.read(_TAIL).rstrip(b"\0 \r\n").endswith(bytes((0xFF, EOI)))


def repair_stream(file: BufferedReader) -> RepairedJpeg | None:
    """Return the repaired file; None if there is nothing to repair, or if whole scans are missing."""
    header = list(read_segments(file))
    frame = find_frame(header)
    if frame is None or header[-1].marker != SOS:
        return None
    edits = [*_start_marker_edits(header), *_segment_edits(header)]
    scans = [header[-1]]
    interval = RestartIntervals.of(header, frame)
    at = begin = header[-1].end
    while True:
        start, end, marker = next_marker(file, at)
        if interval and marker in RESTARTS and (padding := _padding_before(file, begin, start)):
            needed = interval.needed(file, begin, start - len(padding), padding)
            if needed is not None and needed < len(padding):
                edits.append(_Edit(start - len(padding) + needed, start, b"", _PADDED))
        if marker is None:
            if not holds_every_coefficient(frame, scans):
                return None
            edits.append(_Edit(start - _fill_bytes_before(file, start), start, bytes((0xFF, EOI)), _ENDLESS))
            break
        if marker in RESTARTS:
            at = begin = end
            if interval:
                interval.number += 1
            continue
        following = list(read_segments(file, end - 2))
        if not following or following[-1].marker != SOS:
            break  # the end marker, or something that libjpeg will complain of again
        edits += _segment_edits([Segment(SOI, end - 4, b""), *following])
        scans.append(following[-1])
        interval = None
        at = begin = following[-1].end
    return _apply(file, edits, sequential=frame.marker != PROGRESSIVE)


def _start_marker_edits(header: list[Segment]) -> Iterator[_Edit]:
    """Yield edits that remove the start markers directly after the first one."""
    for one in itertools.takewhile(lambda one: one.marker == SOI, header):
        if one.start > 0:
            yield _Edit(one.start, one.end, b"", _STARTS)


def _segment_edits(header: list[Segment]) -> Iterator[_Edit]:
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


def _apply(file: BufferedReader, edits: list[_Edit], *, sequential: bool) -> RepairedJpeg | None:
    if not edits:
        return None
    edits.sort(key=lambda one: one.start)
    notes = tuple(dict.fromkeys(edit.note for edit in edits))
    size = file.seek(0, 2)
    parts = _parts(edits, size)
    if edits[-1].note != _ENDLESS or not sequential:
        return RepairedJpeg(parts, notes)
    last = edits[-1]
    probe = [*edits[:-1], replace(last, replacement=PROBE + last.replacement)]
    return RepairedJpeg(parts, notes, _parts(probe, size))


def _parts(edits: list[_Edit], size: int) -> tuple[Part, ...]:
    parts: list[Part] = []
    at = 0
    for edit in edits:
        parts += [(at, edit.start - at), edit.replacement]
        at = edit.end
    return (*parts, (at, size - at))


def _fill_bytes_before(file: BinaryIO, end: int) -> int:
    """Return the number of 0xFF at the end of the data: the start of a marker that was cut off."""
    file.seek(max(0, end - 1024))
    data = file.read(min(end, 1024))
    return len(data) - len(data.rstrip(b"\xff"))


def _padding_before(file: BinaryIO, begin: int, end: int) -> bytes:
    """Return the run of equal bytes that ends the data: zeros, or at least `_LEAST_RUN` of another value.

    A zero after 0xFF belongs to a stuffed byte and is not part of the run.
    """
    first = max(begin, end - _MAX_PADDING)
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
