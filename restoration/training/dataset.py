"""The pictures of a run, decoded into memory, and their split into training, validation and test."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from restoration.training.recipe import DataPlan, TrainingError
from restoration.training.white_balance import white_balanced

# Sets without a license text are never trained on.
WITHHELD_SETS = frozenset({"coworking"})
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"})

# Pixels; a picture with a shorter side is an icon, most of whose samples would be interpolated.
MIN_SIDE = 32

# ITU-R BT.601, full range, of sRGB-encoded values in [0, 1].
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Picture:
    """A color picture in memory: its path below the folder, its set, and sRGB bytes (H, W, 3)."""

    name: str
    set: str
    rgb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Split:
    """The pictures of one run. `validation` picks the checkpoint; `test` is only reported."""

    train: tuple[Picture, ...]
    validation: tuple[Picture, ...]
    test: tuple[Picture, ...]
    licenses: Mapping[str, str]
    """Set -> license of its pictures, as far as the manifest states it."""

    def fingerprint(self) -> str:
        """sha256 (hex) over the names and bytes of the training pictures."""
        digest = hashlib.sha256()
        for picture in self.train:
            digest.update(picture.name.encode())
            digest.update(picture.rgb.tobytes())
        return digest.hexdigest()


def load_split(folder: Path, plan: DataPlan) -> Split:
    """Decode the pictures of a folder.

    With a `manifest.csv` (columns path, split, set) its splits `train` and `eval` are used; `eval` is divided
    into validation and test, half of each set. Without one, all pictures below the folder are used, the first
    sub-folder is the set, and the hash of the path picks one in twenty for validation and another for test.
    Raises TrainingError.
    """
    manifest = folder / "manifest.csv"
    named = listed(folder)
    split = Split(
        train=tuple(
            replace(picture, rgb=white_balanced(picture.rgb, plan.white_balance))
            for picture in _decode(folder, named["train"], plan)
        ),
        validation=_decode(folder, named["validation"], plan),
        test=_decode(folder, named["test"], plan),
        licenses=_licenses(manifest) if manifest.is_file() else {},
    )
    if not split.train or not split.validation:
        raise TrainingError(
            reason=f"{len(split.train)} pictures to train on and {len(split.validation)} to validate on",
            remedy="give a folder with at least a few dozen color pictures, or a manifest.csv",
            path=folder,
        )
    return split


def listed(folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Return (set, path below the folder) of the pictures in `train`, `validation` and `test`.

    Raises TrainingError if there is a manifest without the columns path, split, set.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        return _from_folder(folder)
    try:
        return _from_manifest(manifest)
    except KeyError as error:
        raise TrainingError(
            reason=f"the manifest has no column {error}",
            remedy="give it the columns path, split and set",
            path=manifest,
        ) from error


def chroma_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return BT.601 Cb and Cr (2, H, W), float32 in [-0.5, 0.5], of sRGB bytes (H, W, 3)."""
    values = rgb.astype(np.float32) / 255.0
    luma = values @ LUMA
    blue = (values[..., 2] - luma) / np.float32(2.0 * (1.0 - LUMA[2]))
    red = (values[..., 0] - luma) / np.float32(2.0 * (1.0 - LUMA[0]))
    return np.stack((blue, red))


def _from_manifest(manifest: Path) -> dict[str, list[tuple[str, str]]]:
    with manifest.open(newline="", encoding="utf-8") as lines:
        rows = sorted((row["split"], row["set"], row["path"]) for row in csv.DictReader(lines))
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "validation": [], "test": []}
    seen: dict[str, int] = {}
    for split, name, path in rows:
        if split == "train" and name not in WITHHELD_SETS:
            parts["train"].append((name, path))
        elif split == "eval":
            seen[name] = seen.get(name, 0) + 1
            parts["validation" if seen[name] % 2 else "test"].append((name, path))
    return parts


def _licenses(manifest: Path) -> dict[str, str]:
    """Set -> the licenses of its training pictures."""
    found: dict[str, set[str]] = {}
    with manifest.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["split"] == "train":
                found.setdefault(row["set"], set()).add(row.get("licence") or "not stated")
    return {name: ", ".join(sorted(licenses)) for name, licenses in found.items()}


def _from_folder(folder: Path) -> dict[str, list[tuple[str, str]]]:
    parts: dict[str, list[tuple[str, str]]] = {"train": [], "validation": [], "test": []}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        relative = path.relative_to(folder)
        name = relative.parts[0] if len(relative.parts) > 1 else "pictures"
        if name in WITHHELD_SETS:
            continue
        place = hashlib.sha256(relative.as_posix().encode()).digest()[0] % 20
        parts[{0: "validation", 1: "test"}.get(place, "train")].append((name, relative.as_posix()))
    return parts


def _decode(folder: Path, named: Sequence[tuple[str, str]], plan: DataPlan) -> tuple[Picture, ...]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        decoded = pool.map(lambda entry: read_picture(folder, entry[0], entry[1], plan), named)
        return tuple(picture for picture in decoded if picture is not None)


def read_picture(folder: Path, name: str, path: str, plan: DataPlan) -> Picture | None:
    """Decode a picture of the set `name`, reduced to the plan's side; None if it is gray or toned.

    Raises TrainingError if it cannot be decoded or is an icon.
    """
    try:
        with Image.open(folder / path, formats=FORMATS) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    # Pillow raises SyntaxError for a damaged PNG.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise TrainingError(
            reason=f"the picture cannot be decoded: {error}",
            remedy="repair or remove it",
            path=folder / path,
        ) from error
    if min(image.size) < MIN_SIDE:
        raise TrainingError(
            reason=f"the picture has only {image.width} x {image.height} pixels",
            remedy=f"remove it: both sides must have at least {MIN_SIDE}",
            path=folder / path,
        )
    scale = plan.side / min(image.size)
    if scale < 1.0:
        size = (max(8, round(image.width * scale)), max(8, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    rgb = np.asarray(image)
    return None if _toneless(rgb, plan.least_color) else Picture(path, name, rgb)


def _toneless(rgb: NDArray[np.uint8], least: float) -> bool:
    """Return whether a picture has no color, or a single hue: a gray or toned print, yellowed paper."""
    chroma = chroma_of(rgb[::4, ::4]).reshape(2, -1)
    spread = float(np.hypot(*chroma.std(axis=1)))
    strength = float(np.hypot(*chroma).mean())
    one_hue = float(np.hypot(*chroma.mean(axis=1))) > 0.97 * strength
    return spread < least or (one_hue and spread < 3.0 * least)
