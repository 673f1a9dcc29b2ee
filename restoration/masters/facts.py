"""What the header of a scan tells, and what is too much."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings of what a header may claim, checked before pixels are decoded, and of what reading costs."""

    max_pixels: int = 2_000_000_000
    max_bytes: int = 16_000_000_000
    """Decoded bytes: pixels x bands x bytes a sample."""
    reader_bytes: int = 2_000_000_000
    """Memory that the process which reads a master may write to."""
    reader_cpu_seconds: int = 900
    """Processor time that it may take over one master."""
    reader_silent_seconds: int = 120
    """Seconds within which it must come further."""


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """What the header of a master says; width and height are as stored, before orientation."""

    format: str
    """tiff, png, jpeg, webp, gif or pnm."""
    width: int
    height: int
    bands: int
    """Samples a pixel after palette expansion, alpha included."""
    bit_depth: int
    """Bits a sample of the file: 1, 2, 4, 8 or 16."""
    mode: str
    """gray, gray-inverted (zero is white), palette, rgb or ycbcr (without JPEG: Y is the gray)."""
    alpha: bool
    orientation: int
    """EXIF orientation, 1 to 8."""
    pages: int
    icc_sha256: str | None
    dpi: tuple[float, float] | None
    """Pixels an inch along the stored width and height."""
    file_bytes: int
    alpha_associated: bool = False
    """Whether the colors are stored multiplied by the alpha."""
    page: int = 0
    """Where the picture stands among the directories of a TIFF."""
    notes: tuple[str, ...] = ()
    """What is odd about the header and no obstacle, in sentences."""

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def depth(self) -> int:
        """Bits a sample of the derivative: 8 or 16."""
        return 16 if self.bit_depth > 8 else 8

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after the orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


class ToneKind(StrEnum):
    """What kind of monochrome a master is."""

    GRAY = "gray"
    TONED = "toned"
    COLOR = "color"


@dataclass(frozen=True, slots=True)
class Tone:
    """The tone of a master, as measured on a reduced copy; chroma in [-0.5, 0.5] of the full range."""

    kind: ToneKind
    cb: float
    """Median Cb: the tone that is removed."""
    cr: float
    spread: float
    """How far chroma strays from a function of luminance: the measure that tells color from tone."""
