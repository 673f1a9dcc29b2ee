"""Contact sheets: master and derivative of many restorations side by side, on one PNG."""

import functools
import unicodedata
from collections.abc import Sequence
from itertools import starmap
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyvips
from PIL import Image, ImageDraw, ImageFont

from restoration.atomic_write import replacing
from restoration.errors import display_name
from restoration.masters import tone_profile
from restoration.masters.identify import identify
from restoration.masters.strips import Master

_CELL: Final = 320
_GAP: Final = 12
_CAPTION: Final = 24
_MOST_COLUMNS: Final = 4
_PAPER: Final = (246, 244, 240)
_INK: Final = (40, 38, 36)

_FONT: Final = Path(__file__).parent / "fonts" / "NotoSansKR-subset.otf"
"""Latin, all Hangul, and the Chinese characters, kana and signs of KS X 1001."""
_SIZE: Final = 14
_NO_CHARACTER: Final = "\uffff"


def contact_sheet(pairs: Sequence[tuple[str, Path, Path]], out: Path) -> None:
    """Write a PNG that shows (caption, master, derivative) of each pair, at most four pairs a row.

    Captions are drawn in a font that comes with Saek and has Latin and Korean; what it lacks is written by
    its number, as in U+1F600. `out` appears whole and replaces what was there.

    Raises MasterError if a picture cannot be read, NoSpace, or ValueError if there are no pairs.
    """
    if not pairs:
        raise ValueError("a contact sheet needs at least one pair of pictures")
    columns = min(_MOST_COLUMNS, max(1, round(len(pairs) ** 0.5)))
    with replacing(out) as unfinished:
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


def caption_font() -> ImageFont.FreeTypeFont:
    """Return the font of captions. Raises OSError if the installation lacks it."""
    return ImageFont.truetype(_FONT, _SIZE)


def legible(text: str, font: ImageFont.FreeTypeFont) -> str:
    """Return the text composed (NFC), each character that the font lacks written as U+ and its number."""
    box = _drawn(font, _NO_CHARACTER)
    composed = unicodedata.normalize("NFC", text)
    return "".join(f"U+{ord(c):04X}" if _drawn(font, c) == box else c for c in composed)


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> bytes:
    mask: Any = font.getmask(character)
    return bytes(mask)


def _cell(scratch: Path, caption: str, master: Path, derivative: Path) -> pyvips.Image:
    image = Image.new("RGB", (2 * _CELL, _CELL + _CAPTION), _PAPER)
    for left, path in ((0, master), (_CELL, derivative)):
        picture = _thumbnail(path, scratch)
        image.paste(picture, (left + (_CELL - picture.width) // 2, (_CELL - picture.height) // 2))
    font = caption_font()
    text = _shortened(legible(display_name(caption), font), font, 2 * _CELL)
    ImageDraw.Draw(image).text((0, _CELL + _CAPTION // 2), text, _INK, font, anchor="lm")
    return pyvips.Image.new_from_array(np.asarray(image))


def _thumbnail(path: Path, scratch: Path) -> Image.Image:
    """Read a picture strip by strip, as it is shown: memory does not grow with its size."""
    facts = identify(path)
    curve = tone_profile.read_tone_profile(path, facts).curve
    planes = Master(path, facts, scratch).overview(_CELL - _GAP, curve=curve)
    pixels = np.rint(np.moveaxis(planes, 0, -1) * 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
