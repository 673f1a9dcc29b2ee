"""Contact sheet of public photographs: gray, colored by a model, and true."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restoration.atomic_write import replacing
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.rendering import colored, left_gray, predicted_chroma
from restoration.generators.loaded_model import LoadedModel
from restoration.recipe import Preset

_HEIGHT: Final = 240
_GAP: Final = 6
_PAPER: Final = (246, 244, 240)
_QUALITY: Final = 78

# Photographs in the wheel of scikit-image, CC0 or in the public domain (see its `data` module).
PHOTOGRAPHS: Final = ("coffee", "chelsea", "rocket", "astronaut", "stereo_motorcycle", "retina")


def showcase(model: LoadedModel, out: Path, preset: Preset = Preset.BALANCED) -> None:
    """Write a JPEG with a column for each photograph: its BT.601 luma, that colored by `model`, the truth.

    `out` appears whole and replaces what was there. Raises EvaluationError where scikit-image is not
    installed, OutOfMemory, NoSpace.
    """
    columns = [_column(rgb, model, preset) for rgb in _photographs()]
    width = sum(column.shape[1] for column in columns) + _GAP * (len(columns) + 1)
    sheet = Image.new("RGB", (width, 3 * _HEIGHT + 4 * _GAP), _PAPER)
    left = _GAP
    for column in columns:
        for row in range(3):
            picture = Image.fromarray(column[row * _HEIGHT : (row + 1) * _HEIGHT])
            sheet.paste(picture, (left, _GAP + row * (_HEIGHT + _GAP)))
        left += column.shape[1] + _GAP
    with replacing(out) as unfinished:
        sheet.save(unfinished, "JPEG", quality=_QUALITY)


def _column(rgb: NDArray[np.uint8], model: LoadedModel, preset: Preset) -> NDArray[np.uint8]:
    """Return gray, colored and true (3 * 240, W, 3) of a photograph (H, W, 3), colored at its full size."""
    gray = np.asarray(Image.fromarray(rgb).convert("L"))
    made = colored(gray, predicted_chroma(gray, preset, model))
    size = (round(rgb.shape[1] * _HEIGHT / rgb.shape[0]), _HEIGHT)
    rows = [
        np.asarray(Image.fromarray(shown).resize(size, Image.Resampling.LANCZOS))
        for shown in (left_gray(gray), made, rgb)
    ]
    return np.concatenate(rows)


def _photographs() -> list[NDArray[np.uint8]]:
    try:
        from skimage import data  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise EvaluationError(
            reason="scikit-image, which has the photographs, is not installed",
            remedy="pip install 'saek[demo]'",
        ) from error
    found = []
    for name in PHOTOGRAPHS:
        photograph = getattr(data, name)()
        # The stereo pair comes as left, right and disparity.
        found.append(np.asarray(photograph[0] if isinstance(photograph, tuple) else photograph))
    return found
