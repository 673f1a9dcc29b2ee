"""How many restorations are shown at a glance: before and after, side by side, on one PNG."""

import functools
import unicodedata
from collections.abc import Sequence
from itertools import starmap
from pathlib import Path
from typing import Final

import numpy as np
import pyvips
from PIL import Image, ImageDraw, ImageFont

from restoration import profile
from restoration.errors import display_name
from restoration.publishing import draft, publish
from restoration.reading import Scan
from restoration.scan import identify

_CELL: Final = 320
_GAP: Final = 12
_CAPTION: Final = 24
_MOST_COLUMNS: Final = 4
_PAPER: Final = (246, 244, 240)
_INK: Final = (40, 38, 36)

_INITIALS: Final = "g,kk,n,d,tt,r,m,b,pp,s,ss,,j,jj,ch,k,t,p,h"
_VOWELS: Final = "a,ae,ya,yae,eo,e,yeo,ye,o,wa,wae,oe,yo,u,wo,we,wi,yu,eu,ui,i"
_FINALS: Final = ",k,k,k,n,n,n,t,l,k,m,l,l,l,p,l,m,p,p,t,t,ng,t,t,k,t,p,t"
_SYLLABLES: Final = range(0xAC00, 0xD7A4)


def contact_sheet(pairs: Sequence[tuple[str, Path, Path]], out: Path) -> None:
    """Write a PNG that shows (caption, master, derivative) of each pair, at most four pairs a row.

    Captions are drawn in Pillow's own font, which has no Hangul: Korean is written in the Revised
    Romanization, what else the font lacks as a question mark. `out` appears whole and replaces what
    was there.

    Raises MasterError if a picture cannot be read, NoSpace, or ValueError if there are no pairs.
    """
    if not pairs:
        raise ValueError("a contact sheet needs at least one pair of pictures")
    columns = min(_MOST_COLUMNS, max(1, round(len(pairs) ** 0.5)))
    with draft(out) as unfinished:
        cells = list(starmap(functools.partial(_cell, out.parent), pairs))
        sheet = pyvips.Image.arrayjoin(cells, across=columns, shim=_GAP, background=_PAPER)
        sheet = sheet.embed(
            _GAP,
            _GAP,
            sheet.width + 2 * _GAP,
            sheet.height + 2 * _GAP,
            extend="background",
            background=_PAPER,
        )
        with unfinished.open("wb") as file:
            sheet.pngsave_target(pyvips.Target.new_to_descriptor(file.fileno()))
        publish(unfinished, out)


def romanized(text: str) -> str:
    """Return the text with each Hangul syllable in the Revised Romanization, letter by letter."""
    spoken = "".join(_syllable(c) if ord(c) in _SYLLABLES else c for c in unicodedata.normalize("NFC", text))
    return spoken.encode("latin-1", "replace").decode("latin-1")


def _syllable(character: str) -> str:
    initials, vowels, finals = (letters.split(",") for letters in (_INITIALS, _VOWELS, _FINALS))
    rest, final = divmod(ord(character) - _SYLLABLES.start, len(finals))
    initial, vowel = divmod(rest, len(vowels))
    return initials[initial] + vowels[vowel] + finals[final]


def _cell(scratch: Path, caption: str, master: Path, derivative: Path) -> pyvips.Image:
    image = Image.new("RGB", (2 * _CELL, _CELL + _CAPTION), _PAPER)
    for left, path in ((0, master), (_CELL, derivative)):
        picture = _thumbnail(path, scratch)
        image.paste(picture, (left + (_CELL - picture.width) // 2, (_CELL - picture.height) // 2))
    font = ImageFont.load_default(14)
    text = _shortened(romanized(display_name(caption)), font, 2 * _CELL)
    ImageDraw.Draw(image).text((0, _CELL + 4), text, _INK, font)
    return pyvips.Image.new_from_array(np.asarray(image))


def _thumbnail(path: Path, scratch: Path) -> Image.Image:
    """Read a picture strip by strip, as it is shown: memory does not grow with its size."""
    facts = identify(path)
    curve = profile.read(path, facts).curve
    planes = Scan(path, facts, scratch).overview(_CELL - _GAP, curve=curve)
    pixels = np.rint(np.moveaxis(planes, 0, -1) * 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
