"""Which gray picture film, time and a scanner would have made of a color picture.

A `Film` says what befell one photograph; `develop` makes it happen in order, and `choose_film` draws one from
the table of `stages`.
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
    """One photograph's film and history, neutral as it stands; lengths are in pixels of the picture."""

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
    """Draw a film and its history. The same generator state gives the same film."""
    happens = {name: stage.befalls(rng) for name, stage in STAGES.items()}
    return Film(
        response=choose_response(rng),
        vignette=_of("vignette", "loss").draw(rng) if happens["vignette"] else 0.0,
        lens_blur=_of("lens blur", "sigma").draw(rng) if happens["lens blur"] else 0.0,
        curve=CharacteristicCurve(
            **{name: span.draw(rng) for name, span in STAGES["development"].ranges.items()}
        ),
        grain=_of("grain", "strength").draw(rng) if happens["grain"] else 0.0,
        grain_size=_of("grain", "size").draw(rng) if happens["grain"] else 0.0,
        scratches=_of("scratches", "count").count(rng) if happens["scratches"] else 0,
        fading=Fading(_of("fading", "black").draw(rng), _of("fading", "white").draw(rng))
        if happens["fading"]
        else None,
        toning=_choose_toning(rng) if happens["toning"] else None,
        screen=_choose_screen(rng) if happens["halftone"] else None,
        specks=_of("dust", "specks").count(rng) if happens["dust"] else 0,
        hairs=_of("dust", "hairs").count(rng) if happens["dust"] else 0,
        scanner_blur=_of("scanner blur", "sigma").draw(rng) if happens["scanner blur"] else 0.0,
        jpeg=_of("JPEG", "quality").count(rng) if happens["JPEG"] else None,
    )


def develop(rgb: NDArray[np.uint8], film: Film, rng: np.random.Generator) -> Gray:
    """Color picture (H, W, 3), sRGB bytes -> the gray picture (H, W), float32 in [0, 1], sRGB-encoded.

    Pure in (rgb, film, state of rng); the generator draws grain, damage, stains and where the dots fall.
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
    # weights of a blur sum to 1 but for rounding
    gray = np.clip(gray, 0.0, 1.0)
    return gray if film.jpeg is None else compressed(gray, film.jpeg)


def photograph(rgb: NDArray[np.uint8], rng: np.random.Generator) -> Gray:
    """Take the picture (H, W, 3) on film drawn from `rng` -> gray (H, W), float32 in [0, 1]."""
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
