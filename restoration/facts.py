"""What the header of a scan tells, and what is too much."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings that are checked against the header, before any pixel is decoded."""

    max_pixels: int = 2_000_000_000
    max_bytes: int = 16_000_000_000
    """Decoded bytes: pixels x bands x bytes a sample."""


@dataclass(frozen=True, slots=True)
class ScanFacts:
    """What the header of a master says; width and height are as stored, before orientation."""

    format: str
    """tiff, png, jpeg, webp, gif, bmp or jp2."""
    width: int
    height: int
    bands: int
    """Samples a pixel after palette expansion, alpha included."""
    bit_depth: int
    """Bits a sample of the file: 1, 2, 4, 8 or 16."""
    mode: str
    """gray, gray-inverted (zero is white), palette or rgb."""
    alpha: bool
    orientation: int
    """EXIF orientation, 1 to 8."""
    pages: int
    icc_sha256: str | None
    dpi: tuple[float, float] | None
    """Pixels an inch along the stored width and height."""
    file_bytes: int

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
