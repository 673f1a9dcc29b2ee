"""How pictures are laid side by side: gray, as each model colors it, the truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restoration.arrays.luma import Float, Gray
from restoration.atomic_write import writing_to
from restoration.evaluation.pictures import ReferencePicture
from restoration.evaluation.rendering import left_gray
from restoration.evaluation.watching import ModelOutput, PictureListener

PANE = 256
"""Longest side of a picture in a strip, pixels; smaller ones are enlarged, but no more than twice."""
FOLDER = "pictures"

_GAP = 4
_PAPER = (255, 255, 255)
_BRIGHTEST_ERROR = 0.25
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class StripFile:
    """A file of the report."""

    file: str
    """Relative to the page."""
    width: int
    height: int


class StripFolder(PictureListener):
    """Draws each picture as it is measured and keeps the files below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures: dict[str, StripFile] = {}
        """By the picture's name: gray, each model, the truth."""
        self.doubts: dict[tuple[str, str], StripFile] = {}
        """By the picture's and the model's name: as colored, the error, the doubt."""
        self.scans: dict[str, StripFile] = {}
        """By the scan's name: gray, each model."""
        with writing_to(folder):
            (folder / FOLDER).mkdir()

    def picture(self, reference: ReferencePicture, made: Mapping[str, ModelOutput]) -> None:
        """Draw a picture, and for each model what it was sure of."""
        number = len(self.pictures)
        panes = [left_gray(reference.gray), *(look.rgb for look in made.values()), reference.rgb]
        self.pictures[reference.name] = self._saved(f"picture-{number:05d}", panes)
        for place, (model, look) in enumerate(made.items()):
            if look.confidence is not None:
                maps = [look.rgb, _drawn(look.error / _BRIGHTEST_ERROR), _drawn(1.0 - look.confidence)]
                self.doubts[reference.name, model] = self._saved(f"doubt-{number:05d}-{place}", maps)

    def scan(self, name: str, gray: Gray, made: Mapping[str, NDArray[np.uint8]]) -> None:
        """Draw a monochrome scan."""
        self.scans[name] = self._saved(f"scan-{len(self.scans):05d}", [left_gray(gray), *made.values()])

    def keep(self, shown: Iterable[StripFile]) -> None:
        """Remove the files that no page shows."""
        wanted = {strip.file for strip in shown}
        for strip in (*self.pictures.values(), *self.doubts.values(), *self.scans.values()):
            if strip.file not in wanted:
                (self.folder / strip.file).unlink(missing_ok=True)

    def _saved(self, name: str, panes: Sequence[NDArray[np.uint8]]) -> StripFile:
        images = [_fitted(pane) for pane in panes]
        width = sum(image.width for image in images) + _GAP * (len(images) - 1)
        strip = Image.new("RGB", (width, images[0].height), _PAPER)
        left = 0
        for image in images:
            strip.paste(image, (left, 0))
            left += image.width + _GAP
        file = f"{FOLDER}/{name}.jpg"
        with writing_to(self.folder):
            strip.save(self.folder / file, quality=_QUALITY, subsampling=0)
        return StripFile(file, strip.width, strip.height)


def _fitted(rgb: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(rgb)
    scale = min(2.0, PANE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _drawn(plane: Float) -> NDArray[np.uint8]:
    """Draw a plane (H, W): 0 is black, 1 and more is white."""
    return left_gray(np.rint(255.0 * np.clip(plane, 0.0, 1.0)).astype(np.uint8))
