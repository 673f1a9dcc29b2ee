"""The pictures of the study, and their order in the batches."""

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
"""Side of all pictures, pixels: that of the study, and the minimum of the generator."""


@dataclass(frozen=True, slots=True)
class DatasetPart:
    """Training or test pictures, in memory."""

    names: tuple[str, ...]
    rgb: Bytes
    """sRGB (N, 256, 256, 3), uint8."""

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
    """Training and test pictures."""

    train: DatasetPart
    test: DatasetPart


def load_dataset(folder: Path) -> Dataset:
    """Decode the sub-folders `train` and `test`; pictures are cut to their central square of 256 pixels.

    Raises TrainingError if one of the two has no pictures, or if they share one.
    """
    dataset = Dataset(_part(folder, "train"), _part(folder, "test"))
    learned = {rgb.tobytes(): name for name, rgb in zip(dataset.train.names, dataset.train.rgb, strict=True)}
    for name, rgb in zip(dataset.test.names, dataset.test.rgb, strict=True):
        twin = learned.get(rgb.tobytes())
        if twin is not None:
            raise TrainingError(
                reason=f"the test picture is the same as the training picture {twin}",
                remedy="remove one of the two",
                path=folder / name,
            )
    return dataset


def steps_per_epoch(pictures: int, batch: int) -> int:
    """Return the number of batches in an epoch; the last one may be smaller."""
    return -(-pictures // batch)


def batch_members(pictures: int, batch: int, seed: int, step: int) -> NDArray[np.intp]:
    """Return the indices of the pictures in batch `step` (from 0); a pure function.

    Each epoch has each picture once, in its own random order.
    """
    epoch, place = divmod(step, steps_per_epoch(pictures, batch))
    order = np.random.default_rng((seed, epoch)).permutation(pictures)
    return order[place * batch : (place + 1) * batch]


def _part(folder: Path, name: str) -> DatasetPart:
    paths = [f"{name}/{path}" for path in pictures_below(folder / name)]
    if not paths:
        raise TrainingError(
            reason=f"there are no pictures in the sub-folder {name}",
            remedy="put the training pictures into train, and the test pictures into test",
            path=folder,
        )
    return DatasetPart(tuple(paths), np.stack([_square(read_pixels(folder, name, path)) for path in paths]))


def _square(rgb: Bytes) -> Bytes:
    if rgb.shape[:2] == (SIDE, SIDE):
        return rgb
    return np.asarray(ImageOps.fit(Image.fromarray(rgb), (SIDE, SIDE), Image.Resampling.LANCZOS))
