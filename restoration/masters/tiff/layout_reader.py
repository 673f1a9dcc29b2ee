"""Layout of a TIFF picture, read from its directory; what cannot be restored is refused."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from restoration.errors import UnsupportedImage
from restoration.masters.refusals import CONVERT_WITH_VIEWER, EXPORT, truncated, unsupported
from restoration.masters.tiff.byte_counts import byte_counts
from restoration.masters.tiff.directory import MAX_INTEGER, Directory
from restoration.masters.tiff.layout import (
    COLORS,
    JPEG,
    MODES,
    PALETTE,
    PREDICTED,
    UNCOMPRESSED,
    UNSPECIFIED,
    YCBCR,
    Offsets,
    PictureLayout,
)
from restoration.masters.tiff.names import TagCode, color_space_name, tag_name

_SAMPLE_FORMATS: Final = {2: "signed integers", 3: "floating-point numbers", 5: "complex", 6: "complex"}
_BIT_DEPTHS: Final = {1, 2, 4, 8, 16}
_MAX_CHANNELS: Final = 16
_NEEDED: Final = (
    TagCode.IMAGE_WIDTH,
    TagCode.IMAGE_LENGTH,
    TagCode.BITS_PER_SAMPLE,
    TagCode.COMPRESSION,
    TagCode.PHOTOMETRIC_INTERPRETATION,
    TagCode.FILL_ORDER,
    TagCode.STRIP_OFFSETS,
    TagCode.SAMPLES_PER_PIXEL,
    TagCode.PLANAR_CONFIGURATION,
    TagCode.PREDICTOR,
    TagCode.COLOR_MAP,
    TagCode.TILE_WIDTH,
    TagCode.TILE_LENGTH,
    TagCode.TILE_OFFSETS,
    TagCode.EXTRA_SAMPLES,
    TagCode.SAMPLE_FORMAT,
    TagCode.YCBCR_SUBSAMPLING,
)
"""Tags whose values decoding needs."""


def read_layout(directory: Directory, path: Path) -> PictureLayout:
    """Return the layout of the picture that a directory describes.

    Raises UnsupportedImage, TruncatedImage, NoDirectory or OSError.
    """
    _require_values(directory, path)
    width, height = directory.integer(TagCode.IMAGE_WIDTH, 0), directory.integer(TagCode.IMAGE_LENGTH, 0)
    if width < 1 or height < 1:
        raise _incomplete("the width or the height", path)
    if TagCode.PHOTOMETRIC_INTERPRETATION not in directory.fields:
        raise _incomplete("the photometric interpretation (whether 0 is black or white, gray or RGB)", path)
    photometric, compression = (
        directory.integer(TagCode.PHOTOMETRIC_INTERPRETATION, -1),
        directory.integer(TagCode.COMPRESSION, UNCOMPRESSED),
    )
    if photometric not in MODES:
        raise _unsupported(path, f"its color space is {color_space_name(photometric)}")
    _require_integers(directory, path)
    _note_unknown_values(directory, compression)
    channels, bits = directory.integer(TagCode.SAMPLES_PER_PIXEL, 1), _bits(directory, path)
    extras = _extras(directory, photometric, channels, path)
    if directory.integer(TagCode.IMAGE_DEPTH, 1) > 1:
        raise _unsupported(path, "it is a volume, not a picture")
    if photometric == PALETTE and TagCode.COLOR_MAP not in directory.fields:
        raise _incomplete("the palette (ColorMap)", path)
    separate = directory.integer(TagCode.PLANAR_CONFIGURATION, 1) == 2 and channels > 1
    planes = channels if separate else 1
    tile = _tile(directory)
    rows = _rows_per_strip(directory, height)
    row_bits = width * (1 if separate else channels) * bits
    if tile is None and rows < height and _is_one_strip(directory, row_bits, planes):
        directory.file.note("TIFF: RowsPerStrip is too small for its only strip; taken as the height")
        rows = height
    if tile is None:
        segments = math.ceil(height / rows)
    else:
        segments = math.ceil(width / tile[0]) * math.ceil(height / tile[1])
    offsets = _offsets(directory, tile is not None, segments * planes, path)
    layout = PictureLayout(
        width,
        height,
        bits,
        channels,
        photometric,
        compression,
        separate,
        extras,
        tile,
        rows,
        (1, 1),
        offsets,
        counts=np.zeros(len(offsets), np.int64),
    )
    if photometric == YCBCR and compression == JPEG and separate:
        raise _unsupported(path, "it is YCbCr in JPEG with separate planes")
    if layout.mode == "ycbcr":
        layout = replace(layout, subsampling=_subsampling(directory, layout, path))
    return replace(layout, counts=byte_counts(layout, directory, path))


def _unsupported(path: Path, reason: str) -> UnsupportedImage:
    return unsupported(path, reason, EXPORT)


def _incomplete(what: str, path: Path) -> UnsupportedImage:
    return unsupported(
        path,
        f"its header is incomplete: it does not give {what}",
        f"{CONVERT_WITH_VIEWER}; there is no need to scan it again",
    )


def _require_values(directory: Directory, path: Path) -> None:
    """Raise TruncatedImage if a tag that decoding needs is present without usable values."""
    for tag in _NEEDED:
        unusable = tag in directory.fields and directory.integers(tag, 1) is None
        if tag in directory.lost or unusable:
            raise truncated(
                path,
                f"its TIFF header is damaged: the tag {tag_name(tag)} has no usable value",
                f"copy it again from its source, or {CONVERT_WITH_VIEWER}",
            )


def _require_integers(directory: Directory, path: Path) -> None:
    """Raise UnsupportedImage unless the samples are unsigned integers, or of undefined format."""
    values = directory.integers(TagCode.SAMPLE_FORMAT, _MAX_CHANNELS)
    for sample_format in () if values is None else values.tolist():
        if sample_format not in {0, 1, 4}:
            name = _SAMPLE_FORMATS.get(sample_format, "of an unknown format")
            raise _unsupported(path, f"its samples are {name}")
        if not sample_format:
            directory.file.note("TIFF: SampleFormat is 0; taken as unsigned integers")


def _bits(directory: Directory, path: Path) -> int:
    values = directory.integers(TagCode.BITS_PER_SAMPLE, _MAX_CHANNELS)
    if values is None:
        return 1
    bits = int(values[0])
    if len(set(values.tolist())) > 1:
        raise _unsupported(path, f"its channels have different bits: {', '.join(map(str, values.tolist()))}")
    if bits not in _BIT_DEPTHS:
        raise _unsupported(path, f"its samples have {bits} bits")
    return bits


def _extras(directory: Directory, photometric: int, channels: int, path: Path) -> tuple[int, ...]:
    colors = COLORS[photometric]
    count = channels - colors
    if count < 0 or channels > _MAX_CHANNELS:
        raise _unsupported(path, f"it has {channels} channels")
    values = directory.integers(TagCode.EXTRA_SAMPLES, _MAX_CHANNELS)
    kinds = () if values is None else tuple(values.tolist())
    if colors == 1 and count > 1 and len(kinds) != count:
        raise _unsupported(path, f"its header says gray, but it has {channels} channels")
    return tuple(kinds[i] if i < len(kinds) else UNSPECIFIED for i in range(count))


def _tile(directory: Directory) -> tuple[int, int] | None:
    width, height = directory.integer(TagCode.TILE_WIDTH, 0), directory.integer(TagCode.TILE_LENGTH, 0)
    return (width, height) if width > 0 and height > 0 and TagCode.TILE_OFFSETS in directory.fields else None


def _rows_per_strip(directory: Directory, height: int) -> int:
    rows = directory.integer(TagCode.ROWS_PER_STRIP, height)
    if rows < 1:
        directory.file.note("TIFF: RowsPerStrip is 0; taken as the height")
        return height
    return min(rows, height)


def _is_one_strip(directory: Directory, row_bits: int, planes: int) -> bool:
    """Return whether each plane has a single strip, which may hold all rows whatever RowsPerStrip says.

    Uncompressed data must have byte counts for all rows; compressed data show on decoding if rows are
    missing.
    """
    offsets = directory.fields.get(TagCode.STRIP_OFFSETS)
    if offsets is None or offsets.count != planes:
        return False
    if directory.integer(TagCode.COMPRESSION, UNCOMPRESSED) != UNCOMPRESSED:
        return True
    counts = directory.integers(TagCode.STRIP_BYTE_COUNTS, planes)
    subsampled = directory.integer(TagCode.PHOTOMETRIC_INTERPRETATION, -1) == YCBCR
    needed = min(-(-row_bits // 8) * directory.integer(TagCode.IMAGE_LENGTH, 0), MAX_INTEGER)
    return counts is not None and len(counts) == planes and not subsampled and bool((counts >= needed).all())


def _note_unknown_values(directory: Directory, compression: int) -> None:
    """Note undefined values, which are taken as the defaults."""
    order, predictor = directory.integer(TagCode.FILL_ORDER, 1), directory.integer(TagCode.PREDICTOR, 1)
    if order not in {1, 2}:
        directory.file.note(f"TIFF: FillOrder {order} is unknown; taken as 1")
    if predictor == 0:
        directory.file.note("TIFF: Predictor is 0; taken as none")
    elif predictor != 1 and compression not in PREDICTED | {34925, 50000}:
        directory.file.note("TIFF: a Predictor does not go with its compression; ignored")


def _subsampling(directory: Directory, layout: PictureLayout, path: Path) -> tuple[int, int]:
    values = directory.integers(TagCode.YCBCR_SUBSAMPLING, 2)
    across, down = (2, 2) if values is None or len(values) < 2 else (int(values[0]), int(values[1]))
    if layout.bits != 8 or layout.channels != 3:
        raise _unsupported(path, f"it is YCbCr with {layout.channels} channels of {layout.bits} bits")
    if (across, down) == (1, 1):
        return 1, 1
    split_units = layout.rows % down and layout.rows < layout.height
    split_tiles = layout.tile and (layout.tile[0] % across or layout.tile[1] % down)
    if not {across, down} <= {1, 2, 4} or layout.separate or split_units or split_tiles:
        raise _unsupported(path, f"its chroma is subsampled in an unusual way ({across} x {down})")
    return across, down


def _offsets(directory: Directory, tiled: bool, expected: int, path: Path) -> Offsets:
    values = directory.integers(TagCode.TILE_OFFSETS if tiled else TagCode.STRIP_OFFSETS, expected)
    if values is None:
        raise _incomplete("where its pixel data are", path)
    if len(values) < expected:
        raise truncated(path, f"its header lists {len(values):,} of {expected:,} strips or tiles")
    return values
