"""Contact sheet of a picture under each effect of the film simulation alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from restoration.training.film.development import CharacteristicCurve, Fading
from restoration.training.film.emulsion import EMULSIONS
from restoration.training.film.halftone import Screen
from restoration.training.film.photograph import Film, develop
from restoration.training.film.toning import Toning, toned

_ACROSS = 5
_GAP = 8
_CAPTION = 18
_PAPER, _INK = (246, 244, 240), (40, 38, 36)

_PANCHROMATIC = next(emulsion.response for emulsion in EMULSIONS if emulsion.name == "panchromatic")

EXAMPLES: tuple[tuple[str, Film], ...] = (
    *((emulsion.name, Film(emulsion.response)) for emulsion in EMULSIONS),
    ("vignette", Film(_PANCHROMATIC, vignette=0.6)),
    ("lens blur", Film(_PANCHROMATIC, lens_blur=1.2)),
    ("development: soft", Film(_PANCHROMATIC, curve=CharacteristicCurve(gamma=0.7))),
    ("development: hard", Film(_PANCHROMATIC, curve=CharacteristicCurve(gamma=1.3, shoulder=0.8))),
    ("grain", Film(_PANCHROMATIC, grain=0.035, grain_size=0.6)),
    ("scratches", Film(_PANCHROMATIC, scratches=4)),
    ("fading", Film(_PANCHROMATIC, fading=Fading(0.2, 0.75))),
    ("toning, color gone", Film(_PANCHROMATIC, toning=Toning(0.8, 0.6, 0.25))),
    ("halftone, 4 px", Film(_PANCHROMATIC, screen=Screen(4.0, ink=0.1, paper=0.9))),
    ("halftone, 2.5 px", Film(_PANCHROMATIC, screen=Screen(2.5, angle=15.0, ink=0.1, paper=0.9))),
    ("dust", Film(_PANCHROMATIC, specks=24, hairs=2)),
    ("scanner blur", Film(_PANCHROMATIC, scanner_blur=1.0)),
    ("JPEG", Film(_PANCHROMATIC, jpeg=45)),
)
"""A film for each strong effect alone, in the order of the stages; the emulsions come first."""


def sheet(rgb: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
    """Return a captioned sheet, RGB uint8, of an sRGB picture (H, W, 3), uint8, under each effect.

    The first cell is the picture itself; a toned print is shown as scanned and with its tone removed.
    """
    cells: list[tuple[str, NDArray[np.uint8]]] = [("the picture", rgb)]
    for name, film in EXAMPLES:
        if film.toning:
            plain = develop(rgb, Film(film.response), np.random.default_rng(seed))
            cells.append(("toning, as scanned", toned(plain, film.toning, np.random.default_rng(seed))))
        gray = develop(rgb, film, np.random.default_rng(seed))
        cells.append((name, np.repeat(np.rint(gray * 255).astype(np.uint8)[..., None], 3, axis=2)))
    return _laid_out(cells)


def _laid_out(cells: list[tuple[str, NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    height, width = cells[0][1].shape[:2]
    down = -(-len(cells) // _ACROSS)
    size = (_ACROSS * (width + _GAP) + _GAP, down * (height + _CAPTION + _GAP) + _GAP)
    page = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(12)
    for number, (caption, cell) in enumerate(cells):
        row, column = divmod(number, _ACROSS)
        left, top = _GAP + column * (width + _GAP), _GAP + row * (height + _CAPTION + _GAP)
        page.paste(Image.fromarray(cell), (left, top))
        draw.text((left, top + height + 2), caption, _INK, font)
    return np.array(page)
