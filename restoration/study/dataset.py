"""The pictures of the study, and which of them are in which batch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from restoration.study.channel_statistics import pictures_below, read_pixels
from restoration.study.preprocessing import Bytes
from restoration.training.recipe import TrainingError

SIDE = 256
"""Side of all pictures, pixels: the study's, and the least that the generator takes."""


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """Pictures of one side, in memory."""

    names: tuple[str, ...]
    rgb: Bytes
    """(N, 256, 256, 3)"""

    def __len__(self) -> int:
        return len(self.names)

    def fingerprint(self) -> str:
        """sha256 (hex) over names and pixels."""
        digest = hashlib.sha256()
        for name, rgb in zip(self.names, self.rgb, strict=True):
            digest.update(name.encode("utf-8", "surrogateescape"))
            digest.update(rgb.tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is learned from, and what is only ever looked at."""

    train: DatasetPart
    test: DatasetPart


def load_dataset(folder: Path) -> Dataset:
    """Decode the sub-folders `train` and `test`; pictures are cut to their central square of 256 pixels.

    Raises TrainingError if one of the two has no pictures, or if they share one.
    """
    album = Dataset(_part(folder, "train"), _part(folder, "test"))
    learned = {rgb.tobytes(): name for name, rgb in zip(album.train.names, album.train.rgb, strict=True)}
    for name, rgb in zip(album.test.names, album.test.rgb, strict=True):
        twin = learned.get(rgb.tobytes())
        if twin is not None:
            raise TrainingError(
                reason=f"the test picture is {twin} too, which is trained on",
                remedy="take one of the two away",
                path=folder / name,
            )
    return album


def steps_per_epoch(pictures: int, batch: int) -> int:
    """Return how many batches show each picture once; the last one may be smaller."""
    return -(-pictures // batch)


def batch_members(pictures: int, batch: int, seed: int, step: int) -> NDArray[np.intp]:
    """Return which pictures are in batch `step` (the first is 0); pure.

    Each epoch shows each picture once, in an order of its own.
    """
    epoch, place = divmod(step, steps_per_epoch(pictures, batch))
    order = np.random.default_rng((seed, epoch)).permutation(pictures)
    return order[place * batch : (place + 1) * batch]


def _part(folder: Path, name: str) -> DatasetPart:
    paths = [f"{name}/{path}" for path in pictures_below(folder / name)]
    if not paths:
        raise TrainingError(
            reason=f"there are no pictures in the sub-folder {name}",
            remedy="put the pictures to learn from into train, and those to judge by into test",
            path=folder,
        )
    return DatasetPart(tuple(paths), np.stack([_square(read_pixels(folder, name, path)) for path in paths]))


def _square(rgb: Bytes) -> Bytes:
    if rgb.shape[:2] == (SIDE, SIDE):
        return rgb
    return np.asarray(ImageOps.fit(Image.fromarray(rgb), (SIDE, SIDE), Image.Resampling.LANCZOS))
