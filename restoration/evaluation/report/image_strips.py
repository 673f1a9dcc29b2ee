"""Image strips of a report: a picture as gray, as each model colors it, and as it is, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restoration.arrays.luma import Float, Gray
from restoration.atomic_write import writing_to
from restoration.evaluation.options import ModelOutput, PictureListener
from restoration.evaluation.pictures import ReferencePicture
from restoration.evaluation.rendering import left_gray

PANE = 256
"""Longer side of a picture in a strip, pixels; smaller ones are enlarged up to twice."""
FOLDER = "pictures"

_GAP = 4
_PAPER = (255, 255, 255)
_BRIGHTEST_ERROR = 0.25
_QUALITY = 90


@dataclass(frozen=True, slots=True)
class StripFile:
    """A strip in the report's folder."""

    file: str
    """Path relative to the page."""
    width: int
    height: int


class StripFolder(PictureListener):
    """Draws each picture, as it is measured, into a file below `folder`; NoSpace, OutputUnavailable."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures: dict[str, StripFile] = {}
        """By the picture's name: gray, each model, the truth."""
        self.error_maps: dict[tuple[str, str], StripFile] = {}
        """By the picture's and the model's name: as colored, the error, and 1 - confidence."""
        self.scans: dict[str, StripFile] = {}
        """By the scan's name: gray, each model."""
        with writing_to(folder):
            (folder / FOLDER).mkdir()

    def picture(self, reference: ReferencePicture, made: Mapping[str, ModelOutput]) -> None:
        """Draw a picture and, for each model with a confidence, the maps of error and 1 - confidence."""
        number = len(self.pictures)
        panes = [left_gray(reference.gray), *(output.rgb for output in made.values()), reference.rgb]
        self.pictures[reference.name] = self._saved(f"picture-{number:05d}", panes)
        for place, (model, output) in enumerate(made.items()):
            if output.confidence is not None:
                maps = [output.rgb, _drawn(output.error / _BRIGHTEST_ERROR), _drawn(1.0 - output.confidence)]
                self.error_maps[reference.name, model] = self._saved(f"error-{number:05d}-{place}", maps)

    def scan(self, name: str, gray: Gray, made: Mapping[str, NDArray[np.uint8]]) -> None:
        """Draw a monochrome scan."""
        self.scans[name] = self._saved(f"scan-{len(self.scans):05d}", [left_gray(gray), *made.values()])

    def keep(self, shown: Iterable[StripFile]) -> None:
        """Remove the files that the page does not show."""
        wanted = {strip.file for strip in shown}
        for strip in (*self.pictures.values(), *self.error_maps.values(), *self.scans.values()):
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
    """Return a plane (H, W) as sRGB, uint8: 0 is black, 1 and more is white."""
    return left_gray(np.rint(255.0 * np.clip(plane, 0.0, 1.0)).astype(np.uint8))
