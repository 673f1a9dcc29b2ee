"""What a restoration reports: its plan, its progress, and the finished derivative."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from restoration.masters.facts import ScanFacts, Tone
from restoration.recipe import OutputFormat


class Stage(StrEnum):
    """Stages of a restoration, in their order."""

    READ = "read"
    COLOR = "color"
    WRITE = "write"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` windows (stage color) or rows (other stages) are finished."""

    stage: Stage
    done: int
    total: int


ProgressListener = Callable[[Progress], None]
"""Called in the thread of `restore`; whatever it raises stops the work and leaves no file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Cost estimate of a restoration."""

    windows: int
    """Windows of 256 x 256 pixels that the generator computes; a larger window counts as several."""
    pixels: int
    bytes_estimate: int
    """Size of the derivative: an upper estimate, uncompressed for the lossless formats."""


@dataclass(frozen=True, slots=True)
class MetadataReport:
    """Report on the master's metadata: names of properties, with a reason where one was not carried."""

    carried: tuple[str, ...]
    replaced: tuple[str, ...]
    dropped: tuple[str, ...]
    noted: tuple[str, ...] = ()
    """Oddities of the file and guesses, in sentences; none of them stopped the work."""


@dataclass(frozen=True, slots=True)
class Seamlessness:
    """Seam metrics of the predicted chroma, in CIE L*a*b* units; see `restoration.colorize.seam_metrics`."""

    seam_ratio: float | None
    """Step of color across window borders over that half a stride away, 1 for no seam.

    None if nothing was cut into windows, or the picture is flat nowhere near their borders.
    """
    consistency: float
    """Mean distance between the colors, reduced, and those of the whole-picture passes."""


@dataclass(frozen=True, slots=True)
class ConfidenceMap:
    """The confidence map of a derivative, and its statistics."""

    path: Path
    width: int
    height: int
    mean: float
    """Of the confidence, in [0, 1], over all pixels."""
    doubtful: float
    """Share of pixels whose confidence is below one half."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """The finished derivative, with all that the record keeps of it."""

    path: Path
    format: OutputFormat
    width: int
    height: int
    bit_depth: int
    bytes: int
    sha256: str
    """Of the file."""
    pixel_sha256: str
    """Of the decoded samples: rows top to bottom, RGB(A) interleaved, little-endian."""
    luma_max_error: int
    """In steps of the derivative's bit depth; 0 for the lossless formats, or there is no file."""
    luma_mean_error: float
    master_sha256: str
    """Of the master's bytes as they were read."""
    master_facts: ScanFacts
    tone: Tone
    stretch: tuple[float, float]
    """Gray values in [0, 1] that the network's own copy maps to black and to white."""
    windows: int
    """Windows of 256 x 256 pixels that the colors took; those of the confidence are not among them."""
    seamlessness: Seamlessness
    seconds: dict[str, float]
    """By stage: read, color, write, verify."""
    model: str
    weights: str
    """sha256 of the weights file."""
    recipe_fingerprint: str
    engine: str
    software: str
    """Name and version, as written into the file."""
    metadata: MetadataReport
    decoders: int
    """Number of independent decoders that verified it: 2, or 1 where there is no second one."""
    confidence: ConfidenceMap | None = None
    """None if it was not asked for."""
