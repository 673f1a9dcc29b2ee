"""How pictures are cut into samples, and samples gathered into batches.

A batch is a pure function of the seed and of its number, so that a resumed run sees what the uninterrupted
one would have seen.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restoration.training.data import Picture, chroma_of
from restoration.training.film import photograph
from restoration.training.recipe import DataPlan, Phase, TrainingError


@dataclass(frozen=True, slots=True)
class Batch:
    """Gray (N, 1, S, S) in [0, 1] and true chroma (N, 2, S, S) in [-0.5, 0.5], float32."""

    gray: NDArray[np.float32]
    chroma: NDArray[np.float32]


def batches(
    pictures: Sequence[Picture], plan: DataPlan, seed: int, first: int, phases: Sequence[Phase]
) -> Generator[Batch]:
    """Yield batch `first`, `first + 1`, ..., each as its phase in `phases` tells; one is made ahead."""
    odds = {phase.name: _odds(pictures, phase.shares or plan.shares) for phase in phases}
    with ThreadPoolExecutor(1) as ahead:
        pending = None
        for number, phase in enumerate(phases, start=first):
            following = ahead.submit(
                draw_batch,
                pictures,
                odds[phase.name],
                plan,
                seed=(seed, number),
                count=phase.batch,
                side=phase.size,
            )
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


def draw_batch(
    pictures: Sequence[Picture],
    odds: NDArray[np.float64],
    plan: DataPlan,
    *,
    seed: tuple[int, int],
    count: int,
    side: int,
) -> Batch:
    """Draw `count` samples of `side` pixels; pure in its arguments."""
    rng = np.random.default_rng(seed)
    gray = np.empty((count, 1, side, side), dtype=np.float32)
    chroma = np.empty((count, 2, side, side), dtype=np.float32)
    for index, chosen in enumerate(rng.choice(len(pictures), size=count, p=odds)):
        rgb = cut(pictures[chosen].rgb, side, plan, rng)
        gray[index, 0] = photograph(rgb, rng)
        chroma[index] = chroma_of(rgb)
    return Batch(gray, chroma)


def cut(rgb: NDArray[np.uint8], side: int, plan: DataPlan, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Cut a square of `side` pixels out of a picture, at a random scale, sometimes mirrored or bordered."""
    height, width = rgb.shape[:2]
    short = min(height, width)
    kind = rng.random()
    if kind < plan.bordered:
        sample = _bordered(rgb, side, rng)
    else:
        part = 1.0
        if kind >= plan.bordered + plan.whole:
            part = float(np.exp(rng.uniform(np.log(plan.tightest), 0.0)))
        span = max(8.0, short * part)
        left, top = rng.uniform(0, width - span), rng.uniform(0, height - span)
        box = (float(left), float(top), float(left + span), float(top + span))
        sample = np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC, box=box))
    return np.ascontiguousarray(sample[:, ::-1]) if rng.random() < 0.5 else sample


def _bordered(rgb: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The whole picture inside neutral paper or film base, so that borders learn to stay gray."""
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
    """How likely each picture is drawn: the share of its set, spread evenly over the set."""
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
