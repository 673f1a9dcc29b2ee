"""Contact sheets of test pictures: gray, truth, and one row per generator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from restoration.evaluation.groups import evenly_spaced
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
    """Draw a comparison as JPEG; return the names of the pictures from left to right.

    Figure c has the pictures with most red and yellow, the others have pictures at even distances.
    """
    chosen = (
        warmest(part, PICTURES) if comparison.figure == "c" else evenly_spaced(range(len(part)), PICTURES)
    )
    true = [part.rgb[place] for place in chosen]
    grays = [gray_of(rgb) for rgb in true]
    rows: list[tuple[str, Sequence[Bytes]]] = [("gray", [left_gray(gray) for gray in grays]), ("truth", true)]
    for one in comparison.shown:
        colorize = checkpoint_colorizer(one.folder.recipe(), one.folder.weights(one.epoch), device)
        rows.append((one.label, [colorize(gray) for gray in grays]))
    _drawn(rows).save(path, quality=_QUALITY)
    return tuple(part.names[place] for place in chosen)


def warmest(part: DatasetPart, most: int) -> tuple[int, ...]:
    """Return the indices of at most `most` pictures with most red and yellow, the warmest first."""
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
