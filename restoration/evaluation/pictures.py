"""The color pictures of an evaluation: listing, decoding and fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restoration.arrays.luma import Gray, luma
from restoration.arrays.resample import fit
from restoration.evaluation.errors import EvaluationError
from restoration.evaluation.metrics import MIN_SIDE
from restoration.training.dataset import listed, read_picture
from restoration.training.recipe import DataPlan

HISTORICAL = "historical"
"""Name of the group of sets that resemble the pictures of archives most."""
HISTORICAL_SETS = frozenset({"documerica", "fsac_kodachrome", "prokudin", "autochrome"})
OVERALL = "all"

_HINT = "give a folder of color pictures, or one with a manifest.csv that has pictures in the split eval"


class Half(StrEnum):
    """The half of the held-out pictures that is measured."""

    VALIDATION = "validation"
    """The half that checkpoints and parameters were picked with."""
    TEST = "test"
    """The half that nothing was picked with."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Listing:
    """The pictures to measure, before they are decoded."""

    folder: Path
    half: Half
    """The half that is measured; ALL for a folder without a manifest."""
    held_out: bool
    """True if a manifest keeps these pictures from training."""
    entries: tuple[tuple[str, str], ...]
    """Set and path below the folder."""


@dataclass(frozen=True, slots=True)
class ReferencePicture:
    """A true picture at the size of evaluation."""

    name: str
    """Path below the folder."""
    set: str
    rgb: NDArray[np.uint8]
    """sRGB (H, W, 3)."""
    gray: Gray
    """Its luma (H, W), uint8: the input of the models."""


def list_pictures(folder: Path, half: Half) -> Listing:
    """List the pictures of a folder.

    With a `manifest.csv` those of the split `eval`, or the half of them; without one every picture below the
    folder. Raises EvaluationError if there are none.
    """
    parts = listed(folder)
    held_out = (folder / "manifest.csv").is_file()
    if held_out:
        wanted = ("validation", "test") if half is Half.ALL else (half.value,)
        entries = [entry for part in wanted for entry in parts[part]]
    else:
        half = Half.ALL
        entries = [entry for part in parts.values() for entry in part]
    if not entries:
        raise EvaluationError(reason="there are no pictures to measure on", remedy=_HINT, path=folder)
    return Listing(folder, half, held_out, tuple(sorted(entries)))


def reference_pictures(listing: Listing, side: int) -> Iterator[ReferencePicture | str]:
    """Decode the pictures one by one, each reduced to a longer side of at most `side` pixels.

    Yields the name of a picture that cannot be measured: without color, or a side below 11 pixels.
    Raises TrainingError if one cannot be decoded.
    """
    for name, path in listing.entries:
        picture = read_picture(listing.folder, name, path, DataPlan(side=side))
        if picture is None:
            yield path
            continue
        rgb = _reduced(picture.rgb, side)
        yield ReferencePicture(path, name, rgb, luma(rgb)) if min(rgb.shape[:2]) >= MIN_SIDE else path


def require_color(measured: int, listing: Listing) -> None:
    """Raise EvaluationError if no picture could be measured."""
    if not measured:
        raise EvaluationError(
            reason=f"none of the {len(listing.entries)} pictures has color, or all are tiny",
            remedy=f"there is no truth to compare with; {_HINT}",
            path=listing.folder,
        )


class Fingerprint:
    """sha256 over the names and pixels of the pictures that were measured."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, reference: ReferencePicture) -> None:
        """Add a picture."""
        self._digest.update(reference.name.encode("utf-8", "surrogateescape"))
        self._digest.update(reference.rgb.tobytes())

    def hex(self) -> str:
        """Return the digest so far."""
        return self._digest.hexdigest()


def _reduced(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    if max(height, width) <= side:
        return rgb
    height, width = fit(height, width, side)
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))
