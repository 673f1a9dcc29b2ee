"""Facts about a master: its header, its tone, and the limits of what is read."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of what a header may claim, checked before decoding, and of what reading a master may cost."""

    max_pixels: int = 2_000_000_000
    max_bytes: int = 16_000_000_000
    """Decoded bytes: pixels x bands x bytes per sample."""
    reader_bytes: int = 2_000_000_000
    """Writable memory of the process that reads a master."""
    reader_cpu_seconds: int = 900
    """Processor time of that process for one master."""
    reader_silent_seconds: int = 120
    """Seconds within which it must make progress."""


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """Facts in the header of a master; width and height are as stored, before orientation is applied."""

    format: str
    """tiff, png, jpeg, webp, gif or pnm."""
    width: int
    height: int
    bands: int
    """Samples per pixel after palette expansion, including alpha."""
    bit_depth: int
    """Bits per sample in the file: 1, 2, 4, 8 or 16."""
    mode: str
    """gray, gray-inverted (zero is white), palette, rgb or ycbcr (without JPEG: Y is the gray)."""
    alpha: bool
    orientation: int
    """EXIF orientation, 1 to 8."""
    pages: int
    icc_sha256: str | None
    dpi: tuple[float, float] | None
    """Pixels per inch along the stored width and height."""
    file_bytes: int
    alpha_associated: bool = False
    """True if the colors are premultiplied by the alpha."""
    page: int = 0
    """Index of the picture among the directories of a TIFF."""
    notes: tuple[str, ...] = ()
    """Harmless oddities of the header, in sentences."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def depth(self) -> int:
        """Bits per sample of the derivative: 8 or 16."""
        return 16 if self.bit_depth > 8 else 8

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after the orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


class ToneKind(StrEnum):
    """Tone of a master: gray, toned or color."""

    GRAY = "gray"
    TONED = "toned"
    COLOR = "color"


@dataclass(frozen=True, slots=True)
class Tone:
    """Tone of a master, measured on a reduced copy; chroma in [-0.5, 0.5]."""

    kind: ToneKind
    cb: float
    """Median Cb: the tone that is removed."""
    cr: float
    spread: float
    """Distance of the chroma from a function of luminance: what separates color from tone."""
