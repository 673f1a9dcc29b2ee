"""Random training samples, cut from pictures, and batches of them.

A batch is a pure function of the seed and its number: a resumed run gets the batches that an uninterrupted
one would have got, whichever process draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restoration.arrays import resample, tiling
from restoration.training.dataset import Picture, chroma_of
from restoration.training.film import photograph
from restoration.training.recipe import DataPlan, Phase, TrainingError, TrainingRecipe
from restoration.training.white_balance import cooler_odds, warmth

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Gray (N, 1, S, S) in [0, 1] and true chroma (N, 2, S, S) in [-0.5, 0.5], float32.

    `wholes` (K, 1, S, S), float32, are the gray whole pictures, on the same film, from which the last K
    samples are cropped; K is 0 unless the recipe trains with the statistics of whole pictures.
    """

    gray: Floats
    chroma: Floats
    wholes: Floats


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws the batches of a run; `odds` (P,) are the pictures' probabilities, by phase."""

    pictures: Sequence[Picture]
    plan: DataPlan
    seed: int
    odds: Mapping[str, NDArray[np.float64]]
    with_wholes: bool

    def batch(self, number: int, phase: Phase) -> Batch:
        """Return batch `number` of a phase; a pure function."""
        rng = np.random.default_rng((self.seed, number))
        side, crops = phase.size, 0
        if self.with_wholes:
            crops = round(phase.batch * (1.0 - self.plan.whole - self.plan.bordered))
        gray = np.empty((phase.batch, 1, side, side), dtype=np.float32)
        chroma = np.empty((phase.batch, 2, side, side), dtype=np.float32)
        wholes = np.empty((crops, 1, side, side), dtype=np.float32)
        chosen = rng.choice(len(self.pictures), size=phase.batch, p=self.odds[phase.name])
        for index, picture in enumerate(chosen):
            rgb = self.pictures[picture].rgb
            crop = index - (phase.batch - crops)
            if crop >= 0:
                gray[index, 0], chroma[index], wholes[crop, 0] = cropped(rgb, side, self.plan, rng)
            elif self.with_wholes:
                gray[index, 0], chroma[index] = whole(rgb, side, self.plan, rng)
            else:
                rgb = cut(rgb, side, self.plan, rng)
                gray[index, 0], chroma[index] = photograph(rgb, rng), chroma_of(rgb)
        return Batch(gray, chroma, wholes)


def sampler_of(pictures: Sequence[Picture], recipe: TrainingRecipe) -> Sampler:
    """Return the sampler of a recipe. Raises TrainingError if a phase has no picture to draw."""
    warmths = np.array([warmth(chroma_of(picture.rgb[::4, ::4])) for picture in pictures])
    odds = {
        phase.name: cooler_odds(
            _odds(pictures, phase.shares or recipe.data.shares), warmths, recipe.data.warm_step
        )
        for phase in recipe.phases
    }
    with_wholes = recipe.model.statistics == "picture"
    return Sampler(tuple(pictures), recipe.data, recipe.seed, odds, with_wholes)


def cut(rgb: NDArray[np.uint8], side: int, plan: DataPlan, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut a square (S, S, 3) of `side` pixels at a random scale, sometimes mirrored or bordered."""
    kind = rng.random()
    if kind < plan.bordered:
        sample = _bordered(rgb, side, rng)
    else:
        tightest = plan.tightest if kind >= plan.bordered + plan.whole else 1.0
        box = _box(rgb.shape, tightest, rng, plan.squeeze)
        sample = np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC, box=box))
    return np.ascontiguousarray(sample[:, ::-1]) if rng.random() < 0.5 else sample


def cropped(
    rgb: NDArray[np.uint8], side: int, plan: DataPlan, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Simulate film on a picture, then crop it -> gray (S, S) and chroma (2, S, S), gray of the whole (S, S).

    S is `side`; the whole keeps its aspect and is reflected at its lower and right edge.
    """
    gray, chroma = _photographed(rgb, side, rng)
    box = _box(gray.shape, plan.tightest, rng)
    size = (side, side)
    return (
        _resized(gray, size, box),
        np.stack([_resized(plane, size, box) for plane in chroma]),
        _fitted(gray, side),
    )


def whole(
    rgb: NDArray[np.uint8], side: int, plan: DataPlan, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Simulate film on a whole picture, sometimes bordered -> gray (S, S) and chroma (2, S, S), fitted."""
    if rng.random() < plan.bordered / max(plan.bordered + plan.whole, 1e-9):
        rgb = _bordered(rgb, side, rng)
    gray, chroma = _photographed(rgb, side, rng)
    return _fitted(gray, side), np.stack([_fitted(plane, side) for plane in chroma])


def _photographed(rgb: NDArray[np.uint8], side: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return gray (H, W) and chroma (2, H, W) of a picture on film, mirrored half of the time.

    Small pictures are enlarged first: the lengths of a film are in pixels.
    """
    if rng.random() < 0.5:
        rgb = np.ascontiguousarray(rgb[:, ::-1])
    scale = side / max(rgb.shape[:2])
    if scale > 1.0:
        size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
        rgb = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))
    return photograph(rgb, rng), chroma_of(rgb)


def _box(
    shape: tuple[int, ...], tightest: float, rng: np.random.Generator, squeeze: float = 1.0
) -> tuple[float, float, float, float]:
    """Return a random square (left, top, right, bottom) within a picture of `shape` (H, W, ...).

    Its side is a fraction of the picture's shorter side between `tightest` and 1; with `squeeze` one of its
    sides, chosen at random, is shorter by up to that factor.
    """
    height, width = shape[:2]
    short = min(height, width)
    part = float(np.exp(rng.uniform(np.log(tightest), 0.0))) if tightest < 1.0 else 1.0
    span = min(short, max(8.0, short * part))
    across = down = span
    if squeeze > 1.0:
        part = float(np.exp(-abs(factor := rng.uniform(-1.0, 1.0) * np.log(squeeze))))
        across, down = (span * part, span) if factor < 0 else (span, span * part)
    left, top = rng.uniform(0, width - across), rng.uniform(0, height - down)
    return float(left), float(top), float(left + across), float(top + down)


def _resized(
    plane: Floats, size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Floats:
    """Resize a plane (H, W), or a box of it, to `size` (width, height), within the plane's range."""
    made = np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC, box=box))
    return np.asarray(np.clip(made, plane.min(), plane.max()))


def _fitted(plane: Floats, side: int) -> Floats:
    """Fit a plane into a square of `side` as the colorizer does: aspect kept, reflected below and right."""
    height, width = resample.fit(plane.shape[0], plane.shape[1], side)
    return tiling.pad(_resized(plane, (width, height)), side, side)


def _bordered(rgb: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the whole picture (S, S, 3) in a neutral border of paper or film, so that borders stay gray."""
    height, width = rgb.shape[:2]
    scale = side * rng.uniform(0.7, 0.97) / max(height, width)
    fitted = (max(8, round(width * scale)), max(8, round(height * scale)))
    paper = 255 * (rng.uniform(0.8, 1.0) if rng.random() < 0.5 else rng.uniform(0.0, 0.2))
    sample = np.full((side, side, 3), round(paper), dtype=np.uint8)
    top = int(rng.integers(0, side - fitted[1] + 1))
    left = int(rng.integers(0, side - fitted[0] + 1))
    inner = Image.fromarray(rgb).resize(fitted, Image.Resampling.BICUBIC)
    sample[top : top + fitted[1], left : left + fitted[0]] = np.asarray(inner)
    return sample


def _odds(pictures: Sequence[Picture], shares: Mapping[str, float]) -> NDArray[np.float64]:
    """Return each picture's probability (P,): the share of its set, divided evenly over the set."""
    counts: dict[str, int] = {}
    for picture in pictures:
        counts[picture.set] = counts.get(picture.set, 0) + 1
    shares = shares or {name: float(count) for name, count in counts.items()}
    odds = np.array([shares.get(picture.set, 0.0) / counts[picture.set] for picture in pictures])
    if odds.sum() <= 0:
        raise TrainingError(
            reason="no picture belongs to a set with a share",
            remedy=f"name sets among {', '.join(sorted(counts))}",
        )
    return np.asarray(odds / odds.sum())
