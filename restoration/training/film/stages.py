"""The table of effects: order, probability, ranges and source of each.

Films are drawn from it, and the tables of a model's page and docs/research/film.md are written from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

ALONG_TRAVEL = 0.8
"""Share of the scratches that run along the travel of the film."""

LIGHT_SCRATCHES, LIGHT_DUST = 0.6, 0.7
"""Shares of light damage; the rest is dark."""

STAINED = 0.5
"""Share of the toned prints that have patches."""

SCREEN_ANGLES = (45.0, 45.0, 45.0, 0.0, 15.0, 75.0)
"""Degrees; a halftone screen has one of these, with equal probability."""


@dataclass(frozen=True, slots=True)
class Range:
    """Range and unit of a quantity, drawn uniformly or, with `even_ratio`, log-uniformly."""

    low: float
    high: float
    unit: str
    even_ratio: bool = False

    def draw(self, rng: np.random.Generator) -> float:
        """Draw a value."""
        if self.even_ratio:
            return float(self.low * (self.high / self.low) ** rng.random())
        return float(self.low + (self.high - self.low) * rng.random())

    def count(self, rng: np.random.Generator) -> int:
        """Draw a whole number, both ends included."""
        return int(rng.integers(int(self.low), int(self.high) + 1))


@dataclass(frozen=True, slots=True)
class FilmStage:
    """One effect on a photograph: probability, ranges, and source."""

    name: str
    share: float
    effect: str
    source: str
    ranges: Mapping[str, Range]

    def occurs(self, rng: np.random.Generator) -> bool:
        """Draw whether the effect occurs."""
        return rng.random() < self.share


STAGES: Mapping[str, FilmStage] = MappingProxyType(
    {
        stage.name: stage
        for stage in (
            FilmStage(
                "vignette",
                0.30,
                "the lens passes less light to the corners",
                "the cosine-fourth law near the axis",
                {"loss": Range(0.1, 0.6, "of the light in the corners")},
            ),
            FilmStage(
                "lens blur",
                0.20,
                "the picture on the film is out of focus",
                "a Gaussian, in linear light",
                {"sigma": Range(0.3, 1.2, "px")},
            ),
            FilmStage(
                "response",
                1.0,
                "the emulsion weighs red, green and blue light (table above), with some jitter",
                "sensitization in three bands; CIE illuminant A for tungsten; linear sRGB (IEC 61966-2-1)",
                {},
            ),
            FilmStage(
                "development",
                1.0,
                "the characteristic curve of film and paper",
                "Hurter and Driffield's curve as a power and an S on encoded tones",
                {
                    "gamma": Range(0.7, 1.4, "", even_ratio=True),
                    "shoulder": Range(0.0, 0.8, ""),
                    "darkest": Range(-0.04, 0.04, "of the range"),
                    "lightest": Range(0.92, 1.06, "of the range"),
                },
            ),
            FilmStage(
                "grain",
                0.60,
                "visible grain, strongest in the middle tones",
                "Selwyn: deviation is greatest where half of the crystals develop",
                {"strength": Range(0.003, 0.035, "of the range"), "size": Range(0.0, 0.9, "px")},
            ),
            FilmStage(
                "scratches",
                0.08,
                f"thin lines, {ALONG_TRAVEL:.0%} along the travel of the film, {LIGHT_SCRATCHES:.0%} light",
                "no source known; number and width are our choice",
                {"count": Range(1, 4, "lines")},
            ),
            FilmStage(
                "fading",
                0.30,
                "black turns gray and white dull",
                "black and white drawn together",
                {"black": Range(0.0, 0.22, "of the range"), "white": Range(0.72, 1.0, "of the range")},
            ),
            FilmStage(
                "toning",
                0.15,
                f"sepia and yellowed paper, {STAINED:.0%} of it in patches, scanned in color and reduced to "
                "luminance as the product does",
                "density seen through three filters; the product's own `restoration.masters.monochrome`",
                {
                    "sepia": Range(0.0, 1.0, "of full sepia"),
                    "yellowing": Range(0.0, 1.0, "of deep yellow"),
                    "stain": Range(0.1, 0.25, "of deep yellow"),
                },
            ),
            FilmStage(
                "halftone",
                0.04,
                f"printed with a dot screen, {SCREEN_ANGLES.count(45) / len(SCREEN_ANGLES):.0%} at 45 "
                "degrees, and scanned softly",
                "an ordered threshold, equalized so that dots keep the tone",
                {
                    "period": Range(2.2, 4.0, "px", even_ratio=True),
                    "blur": Range(0.15, 0.4, "periods"),
                    "ink": Range(0.02, 0.18, "of the range"),
                    "paper": Range(0.8, 1.0, "of the range"),
                },
            ),
            FilmStage(
                "dust",
                0.10,
                f"specks and hairs, {LIGHT_DUST:.0%} light",
                "no source known; number and width are our choice",
                {"specks": Range(2, 24, ""), "hairs": Range(0, 2, "")},
            ),
            FilmStage(
                "scanner blur",
                0.15,
                "the scan, or its reduction, is soft",
                "a Gaussian, on encoded tones",
                {"sigma": Range(0.3, 1.0, "px")},
            ),
            FilmStage(
                "JPEG",
                0.20,
                "the file is compressed",
                "Pillow's encoder",
                {"quality": Range(45, 95, "")},
            ),
        )
    }
)
"""Effects by name, in the order in which they are applied."""
