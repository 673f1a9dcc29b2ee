"""Thresholds between monochrome and color pictures, and their error rates.

    python benchmarks/monochrome.py --data DIR [--sample 3000] [--made 300] [--seed 15]

DIR holds `scans` (monochrome), `eval` and `train` (color, but for what `monochrome.csv` beside this file
calls monochrome or unclear, by eye; unclear ones are left out). To them come prints and pictures made of the
color ones: gray, sepia, cyanotype, split tone, gold and selenium, each with stains, noise, misaligned
channels and JPEG; and, as color, tinted prints, posters of a few flat colors, and prints beside a color
target.

All are divided in two by the digest of their path, so a picture and what was made of it are on one side. The
thresholds are chosen on the first half alone; both halves are then classified by them and by the installed
ones. A color picture that passes costs as much as ten monochrome ones that are refused.
"""

import argparse
import csv
import hashlib
import io
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

from restoration.arrays import resample
from restoration.masters.monochrome import (
    LONG_SIDE,
    THRESHOLDS,
    ChromaResiduals,
    Thresholds,
    chroma_residuals,
)

WEIGHT = 10.0
SIDE = 320
WHITE = np.array([1.0, 1.0, 1.0])
Rgb = np.ndarray


@dataclass(frozen=True, slots=True)
class Case:
    """One picture: source, whether it is color, its half, and its measurements."""

    kind: str
    color: bool
    held_out: bool
    residuals: ChromaResiduals


def planes_of(path: Path) -> np.ndarray:
    """Read a picture as planes (3, H, W) in [0, 1]."""
    image = pyvips.Image.new_from_file(str(path))
    pixels = image.numpy().reshape(image.height, image.width, -1)
    pixels = pixels[..., :3] if pixels.shape[2] >= 3 else np.repeat(pixels[..., :1], 3, axis=2)
    return np.moveaxis(pixels.astype(np.float32) / 255, -1, 0)


def small(planes: np.ndarray, side: int) -> np.ndarray:
    """Reduce planes (3, H, W) to a longer side of `side` at most."""
    height, width = planes.shape[1:]
    return resample.reduce(planes, *resample.fit(height, width, min(side, max(height, width))))


def tone(gray: np.ndarray, name: str, draw: np.random.Generator) -> Rgb:
    """Return a print of gray (H, W) in [0, 1] in a tone: between black, a shade and paper, each a color."""
    powers = {
        "gray": (1.0, 1.0, 1.0),
        "sepia": (0.8, 1.0, draw.uniform(1.1, 1.5)),
        "cyanotype": (draw.uniform(1.3, 1.7), 1.1, draw.uniform(0.6, 0.8)),
        "selenium": (0.95, 1.06, 0.98),
        "gold": (0.9, 1.05, 1.12),
    }
    if name == "split tone":
        tilt = draw.uniform(0.03, 0.1) * (1 - 2 * gray)
        return np.stack((gray - tilt, gray, gray + tilt), axis=-1)
    paper = WHITE - draw.uniform(0, 1) * np.array([0.03, 0.1, 0.3])
    return np.stack([gray**power for power in powers[name]], axis=-1) * paper


def scanned(rgb: Rgb, draw: np.random.Generator) -> Rgb:
    """Return a print (H, W, 3) as scanned and stored as JPEG: stains, noise, misaligned channels."""
    height, width = rgb.shape[:2]
    rgb = np.array(rgb)
    if draw.random() < 0.5:
        rough = Image.fromarray(draw.random((4, 4), dtype=np.float32))
        patches = np.asarray(rough.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)[..., None]
        rgb *= 1 - draw.uniform(0, 0.25) * patches * np.array([0.04, 0.12, 0.35])
    for channel, axis in ((0, 0), (2, 1)):  # up to a fifth of a pixel here, two of a scan ten times as large
        part = draw.uniform(0, 0.2)
        rgb[..., channel] += part * (np.roll(rgb[..., channel], 1, axis) - rgb[..., channel])
    rgb += draw.normal(0, draw.uniform(0, 0.04), rgb.shape)
    file = io.BytesIO()
    quality = int(draw.integers(60, 96))
    Image.fromarray(np.rint(rgb.clip(0, 1) * 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32) / 255


def tinted(gray: np.ndarray, draw: np.random.Generator) -> Rgb:
    """Return a print that was tinted by hand: three areas of some hue over a tenth of it each."""
    rgb = tone(gray, "sepia", draw)
    height, width = gray.shape
    y, x = np.mgrid[:height, :width]
    for tint in ((0.10, -0.06, -0.04), (-0.05, 0.06, -0.04), (-0.08, -0.01, 0.10)):
        top, left = draw.uniform(0.2, 0.8, 2) * (height, width)
        inside = ((y - top) / (0.2 * height)) ** 2 + ((x - left) / (0.2 * width)) ** 2 < 1
        rgb[inside] += draw.uniform(0.7, 1.5) * np.array(tint)
    return rgb


def poster(gray: np.ndarray, draw: np.random.Generator) -> Rgb:
    """Return a picture of three or four flat colors, each a range of gray."""
    colors = draw.permutation([(1, 0, 0), (0, 0.5, 0), (0, 0, 1), (1, 0.9, 0), (0, 0, 0), (1, 1, 1)])
    number = int(draw.integers(3, 5))
    levels = np.quantile(gray, np.linspace(0, 1, number + 1)[1:-1])
    return colors[np.digitize(gray, levels)].astype(np.float64)


def beside_target(gray: np.ndarray, draw: np.random.Generator) -> Rgb:
    """Return a sepia print with a strip of color patches along one side, a tenth as high as the picture."""
    rgb = tone(gray, "sepia", draw)
    height, width = gray.shape
    patches = [
        (0.7, 0.2, 0.2),
        (0.3, 0.6, 0.3),
        (0.2, 0.2, 0.6),
        (0.9, 0.8, 0.1),
        (0.7, 0.3, 0.6),
        (0.0, 0.5, 0.6),
    ]
    for place, patch in enumerate(patches):
        rgb[: max(2, height // 10), place * width // 6 : (place + 1) * width // 6] = patch
    return rgb


TONES = ("gray", "sepia", "cyanotype", "split tone", "selenium", "gold")
COLORED = {"tinted": tinted, "poster": poster, "color target": beside_target}


def cases(data: Path, sample: int, made: int, seed: int) -> Iterator[Case]:
    """Measure all pictures, and synthetic prints of some of them."""
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8") as file:
        judged = {row["path"]: row["is"] for row in csv.DictReader(file)}
    draw = np.random.default_rng(seed)
    found = {
        folder: sorted(str(path.relative_to(data)) for path in (data / folder).rglob("*.*"))
        for folder in ("scans", "eval", "train")
    }
    chosen = draw.permutation(found["train"])[:sample].tolist()
    paths = [*found["scans"], *found["eval"], *chosen, *sorted(set(judged) - set(chosen))]
    for path in dict.fromkeys(paths):
        folder = path.split("/")[0]
        verdict = judged.get(path)
        if verdict == "unclear":
            continue
        held_out = bool(hashlib.sha256(path.encode()).digest()[0] & 1)
        planes = small(planes_of(data / path), SIDE)
        color = folder != "scans" and verdict is None
        name = folder if verdict is None else f"{folder}, monochrome by eye"
        yield Case(name, color, held_out, chroma_residuals(small(planes, LONG_SIDE)))
        if made > 0 and folder == "train" and color:
            made -= 1
            gray = (planes * np.array([0.299, 0.587, 0.114])[:, None, None]).sum(axis=0)
            for name in TONES:
                yield Case(f"made: {name}", False, held_out, _measured(scanned(tone(gray, name, draw), draw)))
            for name, make in COLORED.items():
                yield Case(f"made: {name}", True, held_out, _measured(scanned(make(gray, draw), draw)))


def _measured(rgb: Rgb) -> ChromaResiduals:
    return chroma_residuals(small(np.moveaxis(rgb, -1, 0).astype(np.float32), LONG_SIDE))


def cost(measured: list[Case], thresholds: Thresholds) -> float:
    """Return the rate of refused monochrome pictures plus ten times the rate of accepted color pictures."""
    wrong = Counter(case.color for case in measured if thresholds.allow(case.residuals) == case.color)
    there = Counter(case.color for case in measured)
    return wrong[False] / max(1, there[False]) + WEIGHT * wrong[True] / max(1, there[True])


def choose(measured: list[Case]) -> Thresholds:
    """Return the thresholds with the least cost, by coordinate descent."""
    steps = {
        "smoothed": np.arange(1.0, 5.01, 0.25),
        "across_axis": np.arange(0.5, 2.01, 0.1),
        "along_axis": np.arange(4.0, 14.1, 1.0),
        "hue_change": np.arange(2.0, 20.1, 1.0),
        "curvature": np.arange(10.0, 80.1, 5.0),
        "vivid_share": (0.005, 0.01, 0.02, 0.03, 0.05),
    }
    best = THRESHOLDS
    for _ in range(6):
        before = best
        for pair in itertools.combinations(steps, 2):
            tried = (
                replace(best, **{pair[0]: round(float(a), 3), pair[1]: round(float(b), 3)})
                for a, b in itertools.product(steps[pair[0]], steps[pair[1]])
            )
            best = min((best, *tried), key=lambda thresholds: cost(measured, thresholds))
        if best == before:
            break
    return best


def table(measured: list[Case], thresholds: Thresholds) -> str:
    """Return the confusion table of each kind."""
    lines = [f"{'':32} {'monochrome':>10} {'color':>7}   wrong"]
    for color in (False, True):
        for kind in dict.fromkeys(case.kind for case in measured if case.color == color):
            of_kind = [case for case in measured if case.kind == kind and case.color == color]
            taken = sum(thresholds.allow(case.residuals) for case in of_kind)
            wrong = taken if color else len(of_kind) - taken
            lines.append(f"{kind:32} {taken:10} {len(of_kind) - taken:7}   {wrong / len(of_kind):6.2%}")
    return "\n".join(lines)


def main() -> None:
    """Choose thresholds on one half, evaluate on the other, and print."""
    parser = argparse.ArgumentParser(description="Thresholds between monochrome and color, and their errors.")
    parser.add_argument("--data", type=Path, required=True, help="folder with scans, eval and train")
    parser.add_argument("--sample", type=int, default=3000, help="number of pictures of train to measure")
    parser.add_argument("--made", type=int, default=300, help="number of them to make synthetic prints of")
    parser.add_argument("--seed", type=int, default=15)
    chosen = parser.parse_args()
    measured = list(cases(chosen.data, chosen.sample, chosen.made, chosen.seed))
    halves = {
        held_out: [case for case in measured if case.held_out == held_out] for held_out in (False, True)
    }
    found = choose(halves[False])
    print(f"chosen on one half: {found}\ninstalled:          {THRESHOLDS}")
    for name, held_out in (("the half that was chosen on", False), ("the other half", True)):
        for thresholds in dict.fromkeys((found, THRESHOLDS)):
            told = "chosen" if thresholds == found else "installed"
            print(f"\n{name}, {told} thresholds (cost {cost(halves[held_out], thresholds):.4f})")
            print(table(halves[held_out], thresholds))
    monochrome = np.array([astuple(case.residuals) for case in measured if not case.color], dtype=float)
    print("\nall monochrome ones, 50 / 95 / 99 / 100 of 100:")
    for name, values in zip(ChromaResiduals.__slots__, monochrome.T, strict=True):
        print(f"  {name:12}", *(f"{value:8.3f}" for value in np.percentile(values, [50, 95, 99, 100])))


if __name__ == "__main__":
    main()
