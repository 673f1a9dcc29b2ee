"""Recipes: all parameters that decide the pixels of a derivative, and their fingerprint."""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

ALGORITHM = 3
"""Version of the pixel code: raised whenever the same recipe would give other pixels than before."""

MAX_STRENGTH = 2.0
MAX_WARMTH = 1.0


class Preset(StrEnum):
    """Amount of chroma detail that is inferred; each step costs more windows."""

    FAST = "fast"
    """The whole picture at the working side of the generator, and a quarter larger."""
    BALANCED = "balanced"
    """The whole picture at the working side and at twice of it."""
    FINE = "fine"
    """The same, with detail from four times the working side."""
    NATIVE = "native"
    """The palette of `balanced`, with detail from the scan's own scale: drawings, engravings."""


class OutputFormat(StrEnum):
    """File format of the derivative."""

    TIFF = "tiff"
    PNG = "png"
    JPEG = "jpeg"

    @property
    def lossless(self) -> bool:
        """True if the luminance of the master survives bit for bit."""
        return self is not OutputFormat.JPEG

    @property
    def suffix(self) -> str:
        """The usual ending of such a file name, with its dot."""
        return {"tiff": ".tif", "png": ".png", "jpeg": ".jpg"}[self.value]


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides the pixels of a derivative, checked when it is made.

    Raises ValueError if a value is out of its range.
    """

    model: str
    weights: str
    """sha256 (lowercase hex) of the weights file."""
    preset: Preset = Preset.BALANCED
    strength: float = 1.0
    """Gain of the chroma: 0 leaves the picture gray, 1 is as predicted."""
    warmth: float = 0.0
    """Tilt of the chroma from -1 (towards blue) to 1 (towards amber), 0 is as predicted; gray stays gray.

    A recipe without it is written as recipes were before there was warmth, so old fingerprints hold.
    """
    format: OutputFormat = OutputFormat.TIFF
    quality: int = 92
    """JPEG quality, 1 to 100; no effect on the lossless formats."""
    pyramid: bool = False
    """Tiles and reduced copies in a TIFF, for viewers that zoom; the full picture has the same pixels.

    No effect on the other formats. A recipe without it has the JSON of older recipes.
    """
    algorithm: int = ALGORITHM

    def __post_init__(self) -> None:
        """Convert the values, so that equal recipes have equal JSON, and check their ranges."""
        object.__setattr__(self, "preset", Preset(self.preset))
        object.__setattr__(self, "format", OutputFormat(self.format))
        object.__setattr__(self, "strength", float(self.strength))
        object.__setattr__(self, "warmth", float(self.warmth) + 0.0)  # -0.0 is 0.0
        if not isinstance(self.pyramid, bool):
            raise ValueError(f"pyramid must be true or false, not {self.pyramid!r}")
        if not self.model:
            raise ValueError("a recipe names a model")
        if not re.fullmatch(r"[0-9a-f]{64}", self.weights):
            raise ValueError(f"weights must be a sha256 in lowercase hex, not {self.weights!r}")
        if not (math.isfinite(self.strength) and 0 <= self.strength <= MAX_STRENGTH):
            raise ValueError(f"strength must be in [0, {MAX_STRENGTH:g}], not {self.strength}")
        if not (math.isfinite(self.warmth) and -MAX_WARMTH <= self.warmth <= MAX_WARMTH):
            raise ValueError(f"warmth must be in [{-MAX_WARMTH:g}, {MAX_WARMTH:g}], not {self.warmth}")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality must be in [1, 100], not {self.quality}")
        if self.algorithm < 1:
            raise ValueError(f"algorithm must be positive, not {self.algorithm}")

    def fingerprint(self) -> str:
        """Return the sha256 (hex) of the canonical JSON; quality counts only where it has an effect."""
        facts = self._facts()
        if self.format.lossless:
            del facts["quality"]
        if self.format is not OutputFormat.TIFF:
            facts.pop("pyramid", None)
        return hashlib.sha256(_canonical(facts).encode()).hexdigest()

    def to_json(self) -> str:
        """Return the canonical JSON text: sorted keys, no spaces."""
        return _canonical(self._facts())

    @classmethod
    def from_json(cls, text: str) -> "Recipe":
        """Return the recipe that `to_json` wrote.

        Raises ValueError if the text is not a recipe.
        """
        facts = json.loads(text)
        if not isinstance(facts, Mapping):
            raise ValueError("a recipe is a JSON object")
        try:
            return cls(**facts)
        except TypeError as error:
            raise ValueError(f"not a recipe: {error}") from error

    def _facts(self) -> dict[str, Any]:
        facts = {name: getattr(self, name) for name in self.__slots__}
        if not self.warmth:
            del facts["warmth"]
        if not self.pyramid:
            del facts["pyramid"]
        return facts


def _canonical(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
