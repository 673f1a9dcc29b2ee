"""Segments (strips or tiles) of a TIFF picture for the second decoder, as tifffile finds them."""

import struct
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import tifffile

from restoration.masters.decode_errors import DamagedPixels, NoSecondDecoder
from restoration.masters.tiff.layout import JPEG, LZW, UNCOMPRESSED, YCBCR
from restoration.masters.tiff.names import TagCode

CCITT: Final = {2, 3, 4}
DEFLATE: Final = {8, 32946}
PACKBITS: Final = 32773
LZMA: Final = 34925
ZSTD: Final = 50000
JPEG_2000: Final = {33003, 33004, 33005, 34712}
PNG: Final = 34933
WEBP: Final = 50001
JPEG_XL: Final = 50002
_KNOWN: Final = (
    CCITT | DEFLATE | JPEG_2000 | {UNCOMPRESSED, LZW, JPEG, PACKBITS, LZMA, ZSTD, PNG, WEBP, JPEG_XL}
)
"""Compressions that are decoded, by their numbers in TIFF."""
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
    """Location and storage format of the samples of a page."""

    width: int
    height: int
    samples: int
    """Samples per pixel in the file."""
    bits: int
    byteorder: str
    separate: bool
    """True if each channel has segments of its own."""
    segment_width: int
    segment_rows: int
    """Rows of a segment."""
    tiled: bool
    compression: int
    predictor: int
    low_bit_first: bool
    photometric: int
    subsampling: tuple[int, int]
    """Luma samples across and down that share a chroma sample, for YCbCr without JPEG; otherwise (1, 1)."""
    t4options: int
    jpegtables: bytes | None
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """True if rows are stored uncompressed, so that some can be read without the others."""
        return self.compression == UNCOMPRESSED and not self.tiled and self.subsampling == (1, 1)

    @property
    def whole_bytes(self) -> bool:
        """True if each sample has one or two bytes of its own, in the usual bit order."""
        return self.bits >= 8 and not self.low_bit_first and self.subsampling == (1, 1)

    @property
    def across(self) -> int:
        """Segments side by side."""
        return -(-self.width // self.segment_width)

    @property
    def down(self) -> int:
        """Bands (rows of segments)."""
        return -(-self.height // self.segment_rows)

    @property
    def depth(self) -> int:
        """Samples per pixel of a segment."""
        return 1 if self.separate else self.samples

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the samples in the byte order of the file; uint8 for 1, 2 and 4 bits."""
        return np.dtype(f"{self.byteorder}u2" if self.bits == 16 else "u1")

    def rows_of(self, band: int) -> int:
        """Return the rows of the picture in a band."""
        return min(self.segment_rows, self.height - band * self.segment_rows)

    def coded_rows(self, band: int) -> int:
        """Return the rows that each segment of a band stores: tiles are always whole."""
        return self.segment_rows if self.tiled else self.rows_of(band)

    def row_bytes(self) -> int:
        """Return the uncompressed bytes of one row of a segment."""
        return -(-self.segment_width * self.depth * self.bits // 8)

    def uncompressed(self, band: int) -> int:
        """Return the uncompressed bytes of a segment of a band."""
        if self.subsampling == (1, 1):
            return self.coded_rows(band) * self.row_bytes()
        across, down = self.subsampling
        units = -(-self.coded_rows(band) // down) * -(-self.segment_width // across)
        return units * (across * down + 2)


def segment_layout(page: Any, max_bytes: int) -> SegmentLayout:
    """Return the layout of a page of tifffile, whose segments may have `max_bytes` when decoded.

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
        rows = height  # RowsPerStrip does not matter
    subsampling = (1, 1)
    if photometric == YCBCR and compression != JPEG:
        found = page.tags.valueof(TagCode.YCBCR_SUBSAMPLING, (2, 2))
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
        segment_width=int(page.tilewidth) if tiled else width,
        segment_rows=rows,
        tiled=tiled,
        compression=compression,
        predictor=predictor,
        low_bit_first=int(page.fillorder) == 2,
        photometric=photometric,
        subsampling=subsampling,
        t4options=int(page.tags.valueof(TagCode.T4_OPTIONS, 0)),
        jpegtables=page.jpegtables,
        offsets=tuple(page.dataoffsets),
        sizes=tuple(page.databytecounts),
    )
    if min(width, height, rows, layout.segment_width, samples) < 1:
        raise DamagedPixels("its width or height is 0")
    return _require_segments(layout, max_bytes)


def _require_segments(layout: SegmentLayout, max_bytes: int) -> SegmentLayout:
    segments = layout.across * layout.down * (layout.samples if layout.separate else 1)
    if layout.compression == UNCOMPRESSED:  # computed, because the header may be wrong
        sizes = tuple(
            layout.uncompressed(index // layout.across % layout.down)
            for index in range(min(segments, len(layout.offsets)))
        )
        layout = replace(layout, sizes=sizes)
    if len(layout.offsets) < segments or len(layout.sizes) < segments:
        raise DamagedPixels(
            f"{min(len(layout.offsets), len(layout.sizes)):,} of {segments:,} strips or tiles"
        )
    if layout.row_bytes() * layout.segment_rows > max_bytes and layout.compression != UNCOMPRESSED:
        raise NoSecondDecoder("strips or tiles of that size")
    return layout
