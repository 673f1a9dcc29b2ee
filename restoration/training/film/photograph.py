"""Film simulation of one photograph.

A `Film` has the parameters of all effects; `choose_film` draws them from the table of `stages`, and `develop`
applies them in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restoration.training.film.damage import dusted, scratched
from restoration.training.film.development import NEUTRAL, CharacteristicCurve, Fading, Gray, developed, faded
from restoration.training.film.emulsion import Response, choose_response, exposure
from restoration.training.film.grain import grained
from restoration.training.film.halftone import Screen, halftoned
from restoration.training.film.lens import through_lens
from restoration.training.film.scanning import compressed, soften
from restoration.training.film.stages import SCREEN_ANGLES, STAGES, STAINED, Range
from restoration.training.film.toning import Toning, toned_and_removed


@dataclass(frozen=True, slots=True)
class Film:
    """Parameters of one photograph, neutral by default; lengths are in pixels."""

    response: Response = (0.2126, 0.7152, 0.0722)
    vignette: float = 0.0
    lens_blur: float = 0.0
    curve: CharacteristicCurve = NEUTRAL
    grain: float = 0.0
    grain_size: float = 0.0
    scratches: int = 0
    fading: Fading | None = None
    toning: Toning | None = None
    screen: Screen | None = None
    specks: int = 0
    hairs: int = 0
    scanner_blur: float = 0.0
    jpeg: int | None = None


def choose_film(rng: np.random.Generator) -> Film:
    """Draw the parameters of a film; the same generator state gives the same film."""
    occurs = {name: stage.occurs(rng) for name, stage in STAGES.items()}
    return Film(
        response=choose_response(rng),
        vignette=_of("vignette", "loss").draw(rng) if occurs["vignette"] else 0.0,
        lens_blur=_of("lens blur", "sigma").draw(rng) if occurs["lens blur"] else 0.0,
        curve=CharacteristicCurve(
            **{name: span.draw(rng) for name, span in STAGES["development"].ranges.items()}
        ),
        grain=_of("grain", "strength").draw(rng) if occurs["grain"] else 0.0,
        grain_size=_of("grain", "size").draw(rng) if occurs["grain"] else 0.0,
        scratches=_of("scratches", "count").count(rng) if occurs["scratches"] else 0,
        fading=Fading(_of("fading", "black").draw(rng), _of("fading", "white").draw(rng))
        if occurs["fading"]
        else None,
        toning=_choose_toning(rng) if occurs["toning"] else None,
        screen=_choose_screen(rng) if occurs["halftone"] else None,
        specks=_of("dust", "specks").count(rng) if occurs["dust"] else 0,
        hairs=_of("dust", "hairs").count(rng) if occurs["dust"] else 0,
        scanner_blur=_of("scanner blur", "sigma").draw(rng) if occurs["scanner blur"] else 0.0,
        jpeg=_of("JPEG", "quality").count(rng) if occurs["JPEG"] else None,
    )


def develop(rgb: NDArray[np.uint8], film: Film, rng: np.random.Generator) -> Gray:
    """Return the gray picture (H, W), float32 in [0, 1], sRGB-encoded, of an sRGB picture (H, W, 3), uint8.

    A pure function of picture, film and generator state; `rng` draws grain, damage, stains and the screen's
    phase.
    """
    light = through_lens(exposure(rgb, film.response), film.vignette, film.lens_blur)
    gray = developed(light, film.curve)
    if film.grain:
        gray = grained(gray, film.grain, film.grain_size, rng)
    if film.scratches:
        gray = scratched(gray, film.scratches, rng)
    if film.fading:
        gray = faded(gray, film.fading)
    if film.toning:
        gray = toned_and_removed(gray, film.toning, rng)
    if film.screen:
        gray = halftoned(gray, film.screen, rng)
    if film.specks or film.hairs:
        gray = dusted(gray, film.specks, film.hairs, rng)
    if film.scanner_blur:
        gray = soften(gray, film.scanner_blur)
    # the weights of a blur sum to 1 except for rounding
    gray = np.clip(gray, 0.0, 1.0)
    return gray if film.jpeg is None else compressed(gray, film.jpeg)


def photograph(rgb: NDArray[np.uint8], rng: np.random.Generator) -> Gray:
    """Simulate a random film on a picture (H, W, 3), uint8 -> gray (H, W), float32 in [0, 1]."""
    return develop(rgb, choose_film(rng), rng)


def _choose_toning(rng: np.random.Generator) -> Toning:
    sepia, yellowing, stain = (
        STAGES["toning"].ranges[name].draw(rng) for name in ("sepia", "yellowing", "stain")
    )
    return Toning(sepia, yellowing, stain if rng.random() < STAINED else 0.0)


def _choose_screen(rng: np.random.Generator) -> Screen:
    turned = SCREEN_ANGLES[int(rng.integers(len(SCREEN_ANGLES)))] + rng.normal(0.0, 1.0)
    return Screen(angle=turned, **{name: span.draw(rng) for name, span in STAGES["halftone"].ranges.items()})


def _of(stage: str, quantity: str) -> Range:
    return STAGES[stage].ranges[quantity]
