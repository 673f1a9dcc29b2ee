"""Where the samples of a TIFF lie, strip by strip or tile by tile, and how they are packed."""

import struct
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import tifffile

from restoration.masters.decode_errors import DamagedPixels, NoSecondDecoder

LZW: Final = 5
JPEG: Final = 7
CCITT: Final = {2, 3, 4}
DEFLATE: Final = {8, 32946}
PACKBITS: Final = 32773
LZMA: Final = 34925
ZSTD: Final = 50000
JPEG_2000: Final = {33003, 33004, 33005, 34712}
PNG: Final = 34933
WEBP: Final = 50001
JPEG_XL: Final = 50002
_KNOWN: Final = CCITT | DEFLATE | JPEG_2000 | {1, LZW, JPEG, PACKBITS, LZMA, ZSTD, PNG, WEBP, JPEG_XL}
"""Compressions, by their numbers in TIFF."""
TIFFFILE_ERRORS: Final = (
    tifffile.TiffFileError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ZeroDivisionError,
    OverflowError,
    RuntimeError,
    MemoryError,
    struct.error,
    OSError,
)
"""Errors that tifffile raises on malformed files."""
_PREDICTED: Final = DEFLATE | {LZW, LZMA, ZSTD}


@dataclass(frozen=True, slots=True)
class SegmentLayout:
    """Where the samples of one page lie, and how they are packed."""

    width: int
    height: int
    samples: int
    """Samples a pixel in the file."""
    bits: int
    byteorder: str
    separate: bool
    """Whether each sample has strips or tiles of its own."""
    piece_width: int
    piece_rows: int
    """Of a strip or tile."""
    tiled: bool
    compression: int
    predictor: int
    low_bit_first: bool
    photometric: int
    subsampling: tuple[int, int]
    """Of the chroma along width and height, where the samples are Y, Cb and Cr that no JPEG holds."""
    t4options: int
    jpegtables: bytes | None
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """Whether rows lie in the file as they are, so that some can be read without the others."""
        return self.compression == 1 and not self.tiled and self.subsampling == (1, 1)

    @property
    def whole_bytes(self) -> bool:
        """Whether each sample has one or two bytes of its own, in the order that TIFF has them."""
        return self.bits >= 8 and not self.low_bit_first and self.subsampling == (1, 1)

    @property
    def across(self) -> int:
        """Strips or tiles side by side."""
        return -(-self.width // self.piece_width)

    @property
    def down(self) -> int:
        """Rows of strips or tiles."""
        return -(-self.height // self.piece_rows)

    @property
    def depth(self) -> int:
        """Samples a pixel of one strip or tile."""
        return 1 if self.separate else self.samples

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples in the file, in the file's byte order; packed ones as whole bytes."""
        return np.dtype(f"{self.byteorder}u2" if self.bits == 16 else "u1")

    def rows_of(self, band: int) -> int:
        """Return the rows of the picture that a row of strips or tiles holds."""
        return min(self.piece_rows, self.height - band * self.piece_rows)

    def coded_rows(self, band: int) -> int:
        """Return the rows that each of its pieces holds: tiles are whole."""
        return self.piece_rows if self.tiled else self.rows_of(band)

    def row_bytes(self) -> int:
        """Return the bytes of one row of a strip or tile, uncompressed."""
        return -(-self.piece_width * self.depth * self.bits // 8)

    def uncompressed(self, band: int) -> int:
        """Return the bytes of a strip or tile of a row of them, uncompressed."""
        if self.subsampling == (1, 1):
            return self.coded_rows(band) * self.row_bytes()
        across, down = self.subsampling
        cells = -(-self.coded_rows(band) // down) * -(-self.piece_width // across)
        return cells * (across * down + 2)


def segment_layout(page: Any, most_bytes: int) -> SegmentLayout:
    """Return the layout of a page of tifffile's, whose strips or tiles may have `most_bytes`, decoded.

    Raises NoSecondDecoder or Damaged.
    """
    bits, predictor = page.bitspersample, int(page.predictor)
    width, height, samples = int(page.imagewidth), int(page.imagelength), int(page.samplesperpixel)
    compression, photometric = int(page.compression), int(page.photometric)
    if isinstance(bits, tuple) or bits not in {1, 2, 4, 8, 16} or int(page.sampleformat) not in {0, 1, 4}:
        raise NoSecondDecoder(f"samples of {bits} bits, format {page.sampleformat}")
    if predictor == 0 or compression not in _PREDICTED:
        predictor = 1
    if predictor not in {1, 2} or (predictor == 2 and bits < 8):
        raise NoSecondDecoder(f"predictor {predictor} with {bits} bits")
    if compression not in _KNOWN:
        raise NoSecondDecoder(f"compression {compression}")
    tiled = bool(page.is_tiled)
    rows = int(page.tilelength if tiled else min(page.rowsperstrip, height))
    separate = int(page.planarconfig) == 2 and samples > 1
    if not tiled and len(page.dataoffsets) == (samples if separate else 1):
        rows = height  # whatever RowsPerStrip says
    subsampling = (1, 1)
    if photometric == 6 and compression != JPEG:
        found = page.tags.valueof(530, (2, 2))
        subsampling = (int(found[0]), int(found[1]))
        packed = subsampling != (1, 1)
        if not {*subsampling} <= {1, 2, 4} or (
            packed and (bits != 8 or predictor != 1 or page.planarconfig == 2)
        ):
            raise NoSecondDecoder("YCbCr of that kind")
    layout = SegmentLayout(
        width=width,
        height=height,
        samples=samples,
        bits=bits,
        byteorder=str(page.parent.byteorder),
        separate=separate,
        piece_width=int(page.tilewidth) if tiled else width,
        piece_rows=rows,
        tiled=tiled,
        compression=compression,
        predictor=predictor,
        low_bit_first=int(page.fillorder) == 2,
        photometric=photometric,
        subsampling=subsampling,
        t4options=int(page.tags.valueof(292, 0)),
        jpegtables=page.jpegtables,
        offsets=tuple(page.dataoffsets),
        sizes=tuple(page.databytecounts),
    )
    if min(width, height, rows, layout.piece_width, samples) < 1:
        raise DamagedPixels("a side of no length")
    return _with_all_pieces(layout, most_bytes)


def _with_all_pieces(layout: SegmentLayout, most_bytes: int) -> SegmentLayout:
    pieces = layout.across * layout.down * (layout.samples if layout.separate else 1)
    if layout.compression == 1:  # they can be told, and what the header tells may be wrong
        sizes = tuple(
            layout.uncompressed(index // layout.across % layout.down)
            for index in range(min(pieces, len(layout.offsets)))
        )
        layout = replace(layout, sizes=sizes)
    if len(layout.offsets) < pieces or len(layout.sizes) < pieces:
        raise DamagedPixels(f"{min(len(layout.offsets), len(layout.sizes)):,} of {pieces:,} strips or tiles")
    if layout.row_bytes() * layout.piece_rows > most_bytes and layout.compression != 1:
        raise NoSecondDecoder("a strip or tile of that size")
    return layout
