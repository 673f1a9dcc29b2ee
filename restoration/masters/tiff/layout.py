"""Layout of the samples of a TIFF picture in its file: what the decoders need to know."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

GRAY_INVERTED, GRAY, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
"""Photometric interpretations that are read (TIFF 6.0, tag 262)."""
UNCOMPRESSED, LZW, OLD_JPEG, JPEG = 1, 5, 6, 7
MODES: Final = {GRAY_INVERTED: "gray-inverted", GRAY: "gray", RGB: "rgb", PALETTE: "palette", YCBCR: "rgb"}
"""`ScanFacts.mode` by photometric interpretation."""
COLORS: Final = {GRAY_INVERTED: 1, GRAY: 1, RGB: 3, PALETTE: 1, YCBCR: 3}
"""Color channels by photometric interpretation."""
UNSPECIFIED, ASSOCIATED, UNASSOCIATED = 0, 1, 2
"""Kinds of extra channels (tag 338): unknown, premultiplied alpha, alpha."""
PREDICTED: Final = frozenset({LZW, 8, 32946})
"""Compressions that libvips reads and that may have a predictor."""

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PictureLayout:
    """Location and storage format of the samples of a picture."""

    width: int
    height: int
    bits: int
    """Bits per sample: 1, 2, 4, 8 or 16."""
    channels: int
    photometric: int
    compression: int
    separate: bool
    """True if each channel is stored in a plane of its own."""
    extras: tuple[int, ...]
    """Kinds of the channels after the colors: UNSPECIFIED, ASSOCIATED or UNASSOCIATED."""
    tile: tuple[int, int] | None
    """Width and height of a tile; None if the picture is stored in strips."""
    rows: int
    """Rows of a strip."""
    subsampling: tuple[int, int]
    """Luma samples across and down that share a chroma sample; (1, 1) unless it is YCbCr without JPEG."""
    offsets: Offsets
    """Offset of each strip or tile, (N,), plane after plane."""
    counts: Offsets
    """Bytes of each strip or tile, (N,)."""

    @property
    def mode(self) -> str:
        """As `ScanFacts.mode`: "ycbcr" only where no JPEG decoder converts it to RGB."""
        if self.photometric == YCBCR and self.compression not in {OLD_JPEG, JPEG}:
            return "ycbcr"
        return MODES[self.photometric]

    @property
    def colors(self) -> int:
        """Number of color channels."""
        return COLORS[self.photometric]

    @property
    def alpha(self) -> int | None:
        """Index of the alpha channel, None if there is none; an unspecified channel is not alpha."""
        for i, extra in enumerate(self.extras):
            if extra in {ASSOCIATED, UNASSOCIATED}:
                return self.colors + i
        return None

    @property
    def as_data_units(self) -> "PictureLayout":
        """Subsampled YCbCr as a gray picture of data units, for decoders without chroma subsampling.

        A data unit (TIFF 6.0, section 21) is the luma samples that share a chroma sample, row by row, then Cb
        and Cr. Any other picture is returned as it is.
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
    def segments_per_plane(self) -> int:
        """Strips or tiles of a plane, or of the picture if all channels are stored together."""
        return len(self.offsets) // (self.channels if self.separate else 1)
