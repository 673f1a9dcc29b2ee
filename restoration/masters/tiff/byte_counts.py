"""Byte counts of the strips or tiles of a TIFF picture: checked, and computed where the header is wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from restoration.errors import TruncatedImage
from restoration.masters.refusals import CONVERT_WITH_VIEWER, truncated, unsupported
from restoration.masters.tiff.directory import MAX_INTEGER, Directory, TiffFile
from restoration.masters.tiff.layout import JPEG, LZW, UNCOMPRESSED, Offsets, PictureLayout
from restoration.masters.tiff.names import TagCode

_SELF_TERMINATING: Final = frozenset({2, 3, 4, LZW, JPEG, 8, 32773, 32946, 34925, 50000})
"""Compressions whose decoders notice missing data, so that too large byte counts do no harm."""


def byte_counts(layout: PictureLayout, directory: Directory, path: Path) -> Offsets:
    """Return the bytes of each strip or tile, (N,) int64; the `counts` of the layout are not used.

    Raises TruncatedImage if bytes are missing, UnsupportedImage if header and pixel data contradict.
    """
    file, total = directory.file, len(layout.offsets)
    values = directory.integers(
        TagCode.STRIP_BYTE_COUNTS if layout.tile is None else TagCode.TILE_BYTE_COUNTS, total
    )
    counts = np.zeros(total, np.int64)
    if values is not None:
        counts[: len(values)] = values
    missing = counts < 1
    name = "StripByteCounts" if layout.tile is None else "TileByteCounts"
    if layout.compression == UNCOMPRESSED:
        needed = _uncompressed_bytes(layout.as_data_units)
        if not missing.any() and (layout.offsets + counts <= file.size).all():
            _refuse_contradiction(layout, counts, needed, path)
            if (counts >= 2 * needed).all():
                file.note(f"TIFF: {name} is far larger than its pixels need")
        short = ~missing & (counts < needed)
        if short.any():
            if not _has_room(layout.offsets, needed, short, directory):
                end = int((layout.offsets + needed).max())
                if end > file.size:
                    raise _cut_off(end, file.size, path)
                raise truncated(path, "its pixel data have fewer bytes than its pixels need")
            file.note(f"TIFF: {name} is too small for its pixels, which are there; computed")
        counts = needed
    elif missing.all():  # a 0 among other counts is a hole
        counts = _distances(layout.offsets, file)
    if missing.any():
        problem = "absent" if values is None else "0 or too few"
        file.note(f"TIFF: {name} is {problem}; computed")
    if (layout.offsets < 1).any() or (counts < 1).any():
        raise truncated(path, "some of its strips or tiles are absent")
    end = int((layout.offsets + counts).max())
    if end > file.size and layout.compression in _SELF_TERMINATING and int(layout.offsets.max()) < file.size:
        file.note(f"TIFF: {name} passes the end of the file; taken up to there")
        return np.minimum(counts, file.size - layout.offsets)
    if end > file.size:
        raise _cut_off(end, file.size, path)
    return counts


def _refuse_contradiction(layout: PictureLayout, counts: Offsets, needed: Offsets, path: Path) -> None:
    """Raise UnsupportedImage if the byte counts fit exactly another number of bits or channels."""
    if not (counts > needed).all() or layout.subsampling != (1, 1):
        return
    for bits in (1, 2, 4, 8, 16, 32, 64):
        for channels in range(1, 5):
            if np.array_equal(_uncompressed_bytes(replace(layout, bits=bits, channels=channels)), counts):
                raise unsupported(
                    path,
                    f"its header contradicts its pixel data: they have {int(counts.sum()):,} bytes, and its "
                    f"pixels of {layout.channels} x {layout.bits} bits need {int(needed.sum()):,}",
                    f"{CONVERT_WITH_VIEWER}; there is no need to scan it again",
                )


def _has_room(offsets: Offsets, needed: Offsets, short: npt.NDArray[np.bool_], directory: Directory) -> bool:
    """Return whether nothing else begins within the needed bytes of the segments marked as `short`."""
    file = directory.file
    if len(np.unique(offsets)) < len(offsets):
        return False
    starts = [np.array([file.size], np.int64), offsets]
    for one in file.directories:
        starts.append(np.array([one.offset, *(field.offset for field in one.fields.values())], np.int64))
        starts += [
            found
            for tag in (TagCode.STRIP_OFFSETS, TagCode.TILE_OFFSETS)
            if (found := one.integers(tag)) is not None
        ]
    following = np.unique(np.concatenate(starts))
    index = np.searchsorted(following, offsets, side="right")
    ends = following[index.clip(max=len(following) - 1)]
    return bool((offsets + needed <= ends)[short].all())


def _cut_off(end: int, size: int, path: Path) -> TruncatedImage:
    return truncated(path, f"its pixel data should end at byte {end:,}, but the file ends at byte {size:,}")


def _uncompressed_bytes(layout: PictureLayout) -> Offsets:
    """Return the bytes that each strip or tile has without compression."""
    channels = 1 if layout.separate else layout.channels
    if layout.tile:
        width, height = layout.tile
        tile = min(-(-width * channels * layout.bits // 8) * height, MAX_INTEGER)
        return np.full(len(layout.offsets), tile, np.int64)
    row, last = -(-layout.width * channels * layout.bits // 8), layout.segments_per_plane - 1
    needed = np.full(len(layout.offsets), min(row * layout.rows, MAX_INTEGER), np.int64)
    last_rows = layout.height - last * layout.rows
    needed[last :: last + 1] = min(row * last_rows, MAX_INTEGER)
    return needed


def _distances(offsets: Offsets, file: TiffFile) -> Offsets:
    """Return the distance from each segment to the next known offset, or to the end of the file."""
    known = np.unique(np.concatenate((offsets, [one.offset for one in file.directories], [file.size])))
    following = np.searchsorted(known, offsets, side="right").clip(max=len(known) - 1)
    distances: Offsets = np.maximum(known[following] - offsets, 0)
    return distances
