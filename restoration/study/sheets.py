"""How test pictures are laid out for a look: gray and truth above, one row for each generator below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from restoration.evaluation.rendering import left_gray
from restoration.study.colorizer import checkpoint_colorizer
from restoration.study.comparisons import Comparison
from restoration.study.dataset import DatasetPart
from restoration.study.hues import share_of
from restoration.study.preprocessing import Bytes, gray_of

PICTURES = 6
_SIDE = 144
_MARGIN = 150
_GAP = 3
_PAPER = (250, 249, 246)
_INK = (40, 38, 36)
_QUALITY = 88
_WARM = ("red", "yellow")


def figure_sheet(
    comparison: Comparison, part: DatasetPart, device: torch.device, path: Path
) -> tuple[str, ...]:
    """Draw a comparison as JPEG; return the names of the pictures, from left to right.

    Figure c shows the pictures with most red and yellow, the others pictures at even distances.
    """
    chosen = warmest(part, PICTURES) if comparison.figure == "c" else spread(part, PICTURES)
    true = [part.rgb[place] for place in chosen]
    grays = [gray_of(rgb) for rgb in true]
    rows: list[tuple[str, Sequence[Bytes]]] = [("gray", [left_gray(gray) for gray in grays]), ("truth", true)]
    for one in comparison.shown:
        paint = checkpoint_colorizer(one.folder.recipe(), one.folder.weights(one.epoch), device)
        rows.append((one.label, [paint(gray) for gray in grays]))
    _drawn(rows).save(path, quality=_QUALITY)
    return tuple(part.names[place] for place in chosen)


def spread(part: DatasetPart, most: int) -> tuple[int, ...]:
    """Return the places of at most `most` pictures at even distances."""
    count = min(most, len(part))
    return tuple((2 * place + 1) * len(part) // (2 * count) for place in range(count))


def warmest(part: DatasetPart, most: int) -> tuple[int, ...]:
    """Return the places of at most `most` pictures that have most red and yellow, the warmest first."""
    shares = [share_of(rgb, _WARM) for rgb in part.rgb]
    return tuple(int(place) for place in np.argsort(shares, kind="stable")[::-1][:most])


def _drawn(rows: Sequence[tuple[str, Sequence[Bytes]]]) -> Image.Image:
    columns = len(rows[0][1])
    size = (_MARGIN + columns * (_SIDE + _GAP), len(rows) * (_SIDE + _GAP))
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for row, (label, pictures) in enumerate(rows):
        top = row * (_SIDE + _GAP)
        draw.text((4, top + 6), label.replace(", ", "\n"), _INK, font)
        for column, rgb in enumerate(pictures):
            picture = Image.fromarray(rgb).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
            sheet.paste(picture, (_MARGIN + column * (_SIDE + _GAP), top))
    return sheet
