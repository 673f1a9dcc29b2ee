"""Mean and standard deviation of the channels of the pictures of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from restoration.study.preprocessing import gray_of
from restoration.training.dataset import SUFFIXES, listed, read_picture
from restoration.training.recipe import DataPlan, TrainingError

CHANNELS = ("red", "green", "blue", "gray")
FULL_SIZE = DataPlan(side=2**31, least_color=0.0)
"""Pictures are neither reduced nor left out for lack of color."""


@dataclass(frozen=True, slots=True)
class ChannelFigures:
    """Statistics of one channel with the range [0, 1]."""

    name: str
    mean: float
    std: float
    """Standard deviation over all pixels of all pictures."""
    picture_mean: float
    """Mean of the pictures' means; all pictures have the same weight."""
    picture_std: float
    """Mean of the pictures' own standard deviations."""


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Statistics of all pictures of a folder; gray is the BT.601 luma, as bytes."""

    pictures: int
    pixels: int
    channels: tuple[ChannelFigures, ...]


def channel_statistics(folder: Path, split: str | None = None) -> ChannelStatistics:
    """Measure the pictures of a folder at full size.

    `split` names a part of a manifest (train, eval, validation or test) or, without a manifest, a sub-folder.
    Raises TrainingError.
    """
    entries = _entries(folder, split)
    return measure_channels(read_pixels(folder, *entry) for entry in entries)


def measure_channels(pictures: Iterable[NDArray[np.uint8]]) -> ChannelStatistics:
    """Measure at least one sRGB picture (H, W, 3), uint8."""
    # Histograms are exact, of constant size, and independent of the order of the pictures.
    everywhere = np.zeros((4, 256), dtype=np.int64)
    of_pictures = np.zeros((4, 2))
    pictures_seen = 0
    for rgb in pictures:
        planes = (*np.moveaxis(rgb, -1, 0), gray_of(rgb))
        counts = np.stack([np.bincount(plane.ravel(), minlength=256) for plane in planes])
        everywhere += counts
        of_pictures += _figures(counts)
        pictures_seen += 1
    figures = np.hstack((_figures(everywhere), of_pictures / pictures_seen))
    channels = tuple(
        ChannelFigures(name, *(float(value) for value in row))
        for name, row in zip(CHANNELS, figures, strict=True)
    )
    return ChannelStatistics(pictures_seen, int(everywhere[0].sum()), channels)


def read_pixels(folder: Path, name: str, path: str) -> NDArray[np.uint8]:
    """Decode a picture at full size -> sRGB (H, W, 3), uint8. Raises TrainingError."""
    picture = read_picture(folder, name, path, FULL_SIZE)
    if picture is None:
        raise AssertionError(path)  # the least color is 0
    return picture.rgb


def pictures_below(folder: Path) -> tuple[str, ...]:
    """Return the sorted paths below a folder of all files with a picture's suffix."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return tuple(sorted(path.relative_to(folder).as_posix() for path in found))


def _entries(folder: Path, split: str | None) -> Sequence[tuple[str, str]]:
    if (folder / "manifest.csv").is_file():
        parts = listed(folder)
        parts["eval"] = sorted(parts["validation"] + parts["test"])
        known = ("train", "eval", "validation", "test")
        if split not in {None, *known}:
            raise TrainingError(
                reason=f"the manifest has no split {split!r}",
                remedy=f"name one of {', '.join(known)}",
                path=folder,
            )
        entries = parts["train"] + parts["eval"] if split is None else parts[split]
    else:
        below = folder if split is None else folder / split
        entries = [
            (below.name, (below / path).relative_to(folder).as_posix()) for path in pictures_below(below)
        ]
    if not entries:
        where = "" if split is None else f" in {split}"
        raise TrainingError(
            reason=f"there are no pictures{where}",
            remedy="name a folder or a split with pictures",
            path=folder,
        )
    return entries


def _figures(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return mean and standard deviation of each channel (4, 2) from histograms (4, 256)."""
    levels = np.arange(256) / 255.0
    total = counts.sum(axis=1)
    mean = counts @ levels / total
    variance = (counts * (levels - mean[:, None]) ** 2).sum(axis=1) / total
    return np.stack((mean, np.sqrt(variance)), axis=1)
