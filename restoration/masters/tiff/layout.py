"""How the samples of one TIFF picture lie in its file: what a decoder needs to know, and nothing else."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from restoration.errors import TruncatedImage, UnsupportedImage
from restoration.masters.tiff.directory import MOST_INTEGER, Directory, TiffFile
from restoration.masters.tiff.names import color_space_name, tag_name

GRAY_INVERTED, GRAY, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
UNCOMPRESSED, LZW, OLD_JPEG, JPEG = 1, 5, 6, 7
MODES: Final = {GRAY_INVERTED: "gray-inverted", GRAY: "gray", RGB: "rgb", PALETTE: "palette", YCBCR: "rgb"}
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2
_COLORS: Final = {GRAY_INVERTED: 1, GRAY: 1, RGB: 3, PALETTE: 1, YCBCR: 3}
_FORMATS: Final = {2: "signed integers", 3: "floating-point numbers", 5: "complex", 6: "complex"}
_DEPTHS: Final = {1, 2, 4, 8, 16}
_MOST_CHANNELS: Final = 16
PREDICTED: Final = frozenset({LZW, 8, 32946})
"""Compressions that may have a predictor, of those that libvips reads."""
_TELL_THEIR_END: Final = frozenset({2, 3, 4, LZW, JPEG, 8, 32773, 32946, 34925, 50000})
"""Compressions whose decoders miss what is cut off, so that too large byte counts do no harm."""
_NEEDED: Final = (256, 257, 258, 259, 262, 266, 273, 277, 284, 317, 320, 322, 323, 324, 338, 339, 530)
_REMEDY: Final = "export it as an 8- or 16-bit gray or RGB TIFF with one picture"

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PictureLayout:
    """Where the samples of a picture lie, and how."""

    width: int
    height: int
    bits: int
    """Of a sample: 1, 2, 4, 8 or 16."""
    channels: int
    photometric: int
    compression: int
    separate: bool
    """Whether each channel lies in a plane of its own."""
    extras: tuple[int, ...]
    """What the channels after the colors are: 0 unspecified, 1 associated alpha, 2 unassociated alpha."""
    tile: tuple[int, int] | None
    """Width and height."""
    rows: int
    """Of a strip."""
    subsampling: tuple[int, int]
    """Luma samples across and down that share a chroma sample; (1, 1) unless it is YCbCr without JPEG."""
    offsets: Offsets
    """Of the strips or tiles, plane after plane."""
    counts: Offsets
    """Of their bytes."""

    @property
    def mode(self) -> str:
        """As of ScanFacts; YCbCr is called so only where no JPEG decoder turns it into RGB."""
        if self.photometric == YCBCR and self.compression not in {OLD_JPEG, JPEG}:
            return "ycbcr"
        return MODES[self.photometric]

    @property
    def colors(self) -> int:
        """Channels that make up the color."""
        return _COLORS[self.photometric]

    @property
    def alpha(self) -> int | None:
        """Which channel is the alpha; unspecified ones are none."""
        for i, extra in enumerate(self.extras):
            if extra in {ASSOCIATED, UNASSOCIATED}:
                return self.colors + i
        return None

    @property
    def stored(self) -> "PictureLayout":
        """How a decoder that knows no chroma subsampling sees the samples: as a gray picture of data units.

        A unit is the luma samples that share their chroma, row by row, then Cb and Cr.
        """
        across, down = self.subsampling
        if self.subsampling == (1, 1):
            return self
        unit = across * down + 2
        return replace(
            self,
            width=math.ceil(self.width / across) * unit,
            height=math.ceil(self.height / down),
            channels=1,
            photometric=GRAY,
            extras=(),
            tile=None if self.tile is None else (self.tile[0] // across * unit, self.tile[1] // down),
            rows=math.ceil(self.rows / down),
            subsampling=(1, 1),
        )

    @property
    def per_plane(self) -> int:
        """Strips or tiles of a plane, or of all channels where they lie together."""
        return len(self.offsets) // (self.channels if self.separate else 1)


def read_layout(directory: Directory, path: Path) -> PictureLayout:
    """Return the layout of the picture that a directory describes.

    Raises UnsupportedImage, TruncatedImage or OSError.
    """
    _require_values(directory, path)
    width, height = directory.integer(256, 0), directory.integer(257, 0)
    if width < 1 or height < 1:
        raise _incomplete("the width or the height", path)
    if 262 not in directory.fields:
        raise _incomplete("the photometric interpretation (whether 0 is black or white, gray or RGB)", path)
    photometric, compression = directory.integer(262, -1), directory.integer(259, UNCOMPRESSED)
    if photometric not in MODES:
        raise unsupported(path, f"its color space is {color_space_name(photometric)}")
    formats = directory.integers(339, _MOST_CHANNELS)
    for kind in () if formats is None else formats.tolist():
        if kind not in {0, 1, 4}:
            raise unsupported(path, f"its samples are {_FORMATS.get(kind, 'of an unknown format')}")
        if not kind:
            directory.file.note("TIFF: SampleFormat is 0; taken as unsigned integers")
    _note_unknown(directory, compression)
    channels, bits = directory.integer(277, 1), _bits(directory, path)
    extras = _extras(directory, photometric, channels, path)
    if directory.integer(32997, 1) > 1:
        raise unsupported(path, "it is a volume, not a picture")
    if photometric == PALETTE and 320 not in directory.fields:
        raise _incomplete("the palette (ColorMap)", path)
    separate = directory.integer(284, 1) == 2 and channels > 1
    tile = _tile(directory)
    rows = _rows(directory, height)
    if (
        tile is None
        and rows < height
        and _is_one_strip(
            directory, width * (1 if separate else channels) * bits, channels if separate else 1
        )
    ):
        directory.file.note("TIFF: RowsPerStrip is too small for its only strip; taken as the height")
        rows = height
    across, down = (1, math.ceil(height / rows))
    if tile is not None:
        across, down = math.ceil(width / tile[0]), math.ceil(height / tile[1])
    offsets = _offsets(directory, tile is not None, across * down * (channels if separate else 1), path)
    known = PictureLayout(
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
        _no_counts(len(offsets)),
    )
    if photometric == YCBCR and compression == JPEG and separate:
        raise unsupported(path, "it is YCbCr in JPEG with separate planes")
    if known.mode == "ycbcr":
        known = replace(known, subsampling=_subsampling(directory, known, path))
    return _with_counts(known, directory, path)


def _require_values(directory: Directory, path: Path) -> None:
    """Raise TruncatedImage if a tag that decoding needs is there, but not its values."""
    for tag in _NEEDED:
        unusable = tag in directory.fields and directory.integers(tag, 1) is None
        if tag in directory.lost or unusable:
            raise TruncatedImage(
                reason=f"its TIFF header is damaged: the tag {tag_name(tag)} has no usable value",
                remedy="copy it again from its source, or convert it with a program that shows it right",
                path=path,
            )


def unsupported(path: Path, reason: str, remedy: str = _REMEDY) -> UnsupportedImage:
    """Return the error for a picture of a kind that is not restored."""
    return UnsupportedImage(reason=reason, remedy=remedy, path=path)


def _incomplete(what: str, path: Path) -> UnsupportedImage:
    return unsupported(
        path,
        f"its header is incomplete: it does not tell {what}",
        "convert it with a program that shows it right; scanning it again is not needed",
    )


def _bits(directory: Directory, path: Path) -> int:
    values = directory.integers(258, _MOST_CHANNELS)
    if values is None:
        return 1
    bits = int(values[0])
    if len(set(values.tolist())) > 1:
        raise unsupported(path, f"its channels have different bits: {', '.join(map(str, values.tolist()))}")
    if bits not in _DEPTHS:
        raise unsupported(path, f"its samples have {bits} bits")
    return bits


def _extras(directory: Directory, photometric: int, channels: int, path: Path) -> tuple[int, ...]:
    colors = _COLORS[photometric]
    count = channels - colors
    if count < 0 or channels > _MOST_CHANNELS:
        raise unsupported(path, f"it has {channels} channels")
    values = directory.integers(338, _MOST_CHANNELS)
    told = () if values is None else tuple(values.tolist())
    if colors == 1 and count > 1 and len(told) != count:
        raise unsupported(path, f"its header says gray, but it has {channels} channels")
    return tuple(told[i] if i < len(told) else UNSPECIFIED for i in range(count))


def _tile(directory: Directory) -> tuple[int, int] | None:
    width, height = directory.integer(322, 0), directory.integer(323, 0)
    return (width, height) if width > 0 and height > 0 and 324 in directory.fields else None


def _rows(directory: Directory, height: int) -> int:
    rows = directory.integer(278, height)
    if rows < 1:
        directory.file.note("TIFF: RowsPerStrip is 0; taken as the height")
        return height
    return min(rows, height)


def _is_one_strip(directory: Directory, row_bits: int, planes: int) -> bool:
    """Whether each plane has but one strip, which may hold all rows, whatever RowsPerStrip says.

    Data without compression must be told to have the bytes of all rows; the others tell by themselves.
    """
    offsets = directory.fields.get(273)
    if offsets is None or offsets.count != planes:
        return False
    if directory.integer(259, UNCOMPRESSED) != UNCOMPRESSED:
        return True
    counts = directory.integers(279, planes)
    subsampled = directory.integer(262, -1) == YCBCR
    needed = min(-(-row_bits // 8) * directory.integer(257, 0), MOST_INTEGER)
    return counts is not None and len(counts) == planes and not subsampled and bool((counts >= needed).all())


def _note_unknown(directory: Directory, compression: int) -> None:
    """Note values of no meaning that stand for the usual ones."""
    order, predictor = directory.integer(266, 1), directory.integer(317, 1)
    if order not in {1, 2}:
        directory.file.note(f"TIFF: FillOrder {order} is unknown; taken as 1")
    if predictor == 0:
        directory.file.note("TIFF: Predictor is 0; taken as none")
    elif predictor != 1 and compression not in PREDICTED | {34925, 50000}:
        directory.file.note("TIFF: a Predictor does not go with its compression; ignored")


def _subsampling(directory: Directory, known: PictureLayout, path: Path) -> tuple[int, int]:
    told = directory.integers(530, 2)
    across, down = (2, 2) if told is None or len(told) < 2 else (int(told[0]), int(told[1]))
    if known.bits != 8 or known.channels != 3:
        raise unsupported(path, f"it is YCbCr with {known.channels} channels of {known.bits} bits")
    if (across, down) == (1, 1):
        return 1, 1
    if not {across, down} <= {1, 2, 4} or known.separate or (known.rows % down and known.rows < known.height):
        raise unsupported(path, f"its chroma is subsampled in an unusual way ({across} x {down})")
    if known.tile and (known.tile[0] % across or known.tile[1] % down):
        raise unsupported(path, f"its chroma is subsampled in an unusual way ({across} x {down})")
    return across, down


def _offsets(directory: Directory, tiled: bool, expected: int, path: Path) -> Offsets:
    values = directory.integers(324 if tiled else 273, expected)
    if values is None:
        raise _incomplete("where its pixel data lie", path)
    if len(values) < expected:
        raise TruncatedImage(
            reason=f"its header tells of {len(values):,} of {expected:,} pieces of pixel data",
            remedy="copy or scan it again",
            path=path,
        )
    return values


def _no_counts(size: int) -> Offsets:
    return np.zeros(size, np.int64)


def _with_counts(known: PictureLayout, directory: Directory, path: Path) -> PictureLayout:
    """Tell the bytes of each piece, computed where the header does not, and require that they are there."""
    file = directory.file
    values = directory.integers(279 if known.tile is None else 325, len(known.offsets))
    counts = _no_counts(len(known.offsets))
    if values is not None:
        counts[: len(values)] = values
    missing = counts < 1
    name = "StripByteCounts" if known.tile is None else "TileByteCounts"
    if known.compression == UNCOMPRESSED:
        needed = _uncompressed(known.stored)
        if not missing.any() and (known.offsets + counts <= file.size).all():
            _refuse_other_samples(known, counts, needed, path)
            if (counts >= 2 * needed).all():
                file.note(f"TIFF: {name} is far larger than its pixels need")
        short = ~missing & (counts < needed)
        if short.any():
            if not _has_room(known.offsets, needed, short, directory):
                raise _too_few(int((known.offsets + needed).max()), file.size, path)
            file.note(f"TIFF: {name} is too small for its pixels, which are there; computed")
        counts = needed
    elif missing.all():  # some that are 0 among others are holes
        counts = _gaps(known.offsets, file)
    if missing.any():
        how = "absent" if values is None else "0 or too few"
        file.note(f"TIFF: {name} is {how}; computed")
    if (known.offsets < 1).any() or (counts < 1).any():
        raise TruncatedImage(
            reason="pieces of its pixel data are absent", remedy="copy or scan it again", path=path
        )
    end = int((known.offsets + counts).max())
    if end > file.size and known.compression in _TELL_THEIR_END and int(known.offsets.max()) < file.size:
        counts = np.minimum(counts, file.size - known.offsets)
        file.note(f"TIFF: {name} passes the end of the file; taken up to there")
    elif end > file.size:
        raise _cut(end, file.size, path)
    return replace(known, counts=counts)


def _refuse_other_samples(known: PictureLayout, told: Offsets, needed: Offsets, path: Path) -> None:
    """Raise UnsupportedImage if the bytes are exactly those of more bits or channels than told."""
    if not (told > needed).all() or known.subsampling != (1, 1):
        return
    for bits in (1, 2, 4, 8, 16, 32, 64):
        for channels in range(1, 5):
            if np.array_equal(_uncompressed(replace(known, bits=bits, channels=channels)), told):
                raise unsupported(
                    path,
                    f"its header contradicts its pixel data: they have {int(told.sum()):,} bytes, and its "
                    f"pixels of {known.channels} x {known.bits} bits need {int(needed.sum()):,}",
                    "convert it with a program that shows it right; scanning it again is not needed",
                )


def _has_room(offsets: Offsets, needed: Offsets, short: npt.NDArray[np.bool_], directory: Directory) -> bool:
    """Whether the pieces that are told to be too `short` can be whole: nothing else begins within them."""
    file = directory.file
    if len(np.unique(offsets)) < len(offsets):
        return False
    marks = [np.array([file.size], np.int64), offsets]
    for one in file.directories:
        marks.append(np.array([one.offset, *(field.offset for field in one.fields.values())], np.int64))
        marks += [found for tag in (273, 324) if (found := one.integers(tag)) is not None]
    following = np.unique(np.concatenate(marks))
    place = np.searchsorted(following, offsets, side="right")
    ends = following[place.clip(max=len(following) - 1)]
    return bool((offsets + needed <= ends)[short].all())


def _cut(end: int, size: int, path: Path) -> TruncatedImage:
    return TruncatedImage(
        reason=f"its pixel data end at byte {end:,}, the file at {size:,}",
        remedy="copy or scan it again",
        path=path,
    )


def _too_few(end: int, size: int, path: Path) -> TruncatedImage:
    if end > size:
        return _cut(end, size, path)
    return TruncatedImage(
        reason="its pixel data have fewer bytes than its pixels need",
        remedy="copy or scan it again",
        path=path,
    )


def _uncompressed(known: PictureLayout) -> Offsets:
    """Return the bytes that each piece has without compression."""
    channels = 1 if known.separate else known.channels
    if known.tile:
        width, height = known.tile
        tile = min(-(-width * channels * known.bits // 8) * height, MOST_INTEGER)
        return np.full(len(known.offsets), tile, np.int64)
    row = -(-known.width * channels * known.bits // 8)
    needed = np.full(len(known.offsets), min(row * known.rows, MOST_INTEGER), np.int64)
    last = known.height - (known.per_plane - 1) * known.rows
    needed[known.per_plane - 1 :: known.per_plane] = min(row * last, MOST_INTEGER)
    return needed


def _gaps(offsets: Offsets, file: TiffFile) -> Offsets:
    """Return how far it is from each piece to the next thing that is known to lie in the file."""
    marks = np.unique(np.concatenate((offsets, [one.offset for one in file.directories], [file.size])))
    following = np.searchsorted(marks, offsets, side="right").clip(max=len(marks) - 1)
    gaps: Offsets = np.maximum(marks[following] - offsets, 0)
    return gaps
