"""Damage by handling: scratches, dust specks and hairs, drawn as rows of small round stamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from restoration.training.film.development import Gray
from restoration.training.film.stages import ALONG_TRAVEL, LIGHT_DUST, LIGHT_SCRATCHES

_SPACING = 0.8
_KNOTS = 8
_CLUMP = 3


@dataclass(frozen=True, slots=True)
class Stroke:
    """Stamps at `points` (N, 2), row and column, of `radius` pixels (N,) and `opacity` (N,) in [0, 1]."""

    points: NDArray[np.float32]
    radius: NDArray[np.float32]
    opacity: NDArray[np.float32]
    light: bool


def scratched(gray: Gray, count: int, rng: np.random.Generator) -> Gray:
    """Return gray (H, W), float32 in [0, 1], with `count` thin scratches, mostly along the film's travel.

    Light scratches are in the emulsion of a print, dark ones in that of a negative.
    """
    upright = rng.random() < 0.5
    return _drawn(gray, [_scratch(gray.shape, upright=upright, rng=rng) for _ in range(count)])


def dusted(gray: Gray, specks: int, hairs: int, rng: np.random.Generator) -> Gray:
    """Return gray (H, W), float32 in [0, 1], with specks and hairs, light (negative) or dark (glass)."""
    strokes = [_specks(gray.shape, specks, rng, light=light) for light in (False, True)]
    strokes += [_hair(gray.shape, rng) for _ in range(hairs)]
    return _drawn(gray, strokes)


def _scratch(shape: tuple[int, ...], *, upright: bool, rng: np.random.Generator) -> Stroke:
    along_travel = rng.random() < ALONG_TRAVEL
    height, width = shape
    side = height if upright else width
    if along_travel:
        length = side * rng.uniform(0.3, 1.2)
        angle = rng.normal(0.0, 0.015) + (0.0 if upright else np.pi / 2)
    else:
        length = side * rng.uniform(0.08, 0.35)
        angle = rng.uniform(0.0, np.pi)
    count = max(2, int(length / _SPACING))
    place = np.linspace(-length / 2, length / 2, count, dtype=np.float32)
    sway = _smooth(count, rng) * np.float32(rng.uniform(0.0, 1.5))
    middle = rng.uniform(0.0, 1.0, 2) * (height, width)
    down, right = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    points = np.stack(
        (middle[0] + place * down - sway * right, middle[1] + place * right + sway * down), axis=1
    )
    # the opacity varies with the pressure
    pressure = np.clip(_smooth(count, rng) * 1.5 + rng.uniform(0.2, 1.0), 0.0, 1.0)
    opacity = pressure * np.float32(rng.uniform(0.35, 1.0))
    radius = np.full(count, rng.uniform(0.2, 0.6), np.float32)
    return Stroke(
        points.astype(np.float32), radius, opacity.astype(np.float32), rng.random() < LIGHT_SCRATCHES
    )


def _specks(shape: tuple[int, ...], count: int, rng: np.random.Generator, *, light: bool) -> Stroke:
    own = int(rng.binomial(count, LIGHT_DUST if light else 1 - LIGHT_DUST))
    # many small, few large; each is a clump of grains, so that large ones are not round
    size = (0.2 + 1.4 * rng.random(own, dtype=np.float32) ** 3).repeat(_CLUMP)
    points = (rng.random((own, 2), dtype=np.float32) * np.asarray(shape, np.float32)).repeat(_CLUMP, axis=0)
    points += (rng.random(points.shape, dtype=np.float32) - np.float32(0.5)) * size[:, None]
    radius = size * rng.uniform(0.6, 1.0, size.size).astype(np.float32)
    return Stroke(points, radius, rng.uniform(0.4, 1.0, own).astype(np.float32).repeat(_CLUMP), light)


def _hair(shape: tuple[int, ...], rng: np.random.Generator) -> Stroke:
    length = rng.uniform(6.0, 0.3 * max(shape) + 6.0)
    count = max(2, int(length / _SPACING))
    heading = rng.uniform(0.0, 2 * np.pi) + np.cumsum(_smooth(count, rng)) * (rng.uniform(0.5, 5.0) / count)
    steps = np.stack((np.cos(heading), np.sin(heading)), axis=1) * _SPACING
    points = np.cumsum(steps, axis=0) + rng.random(2) * shape
    opacity = np.full(count, rng.uniform(0.35, 0.9), np.float32)
    radius = np.full(count, rng.uniform(0.2, 0.4), np.float32)
    return Stroke(points.astype(np.float32), radius, opacity, rng.random() < LIGHT_DUST)


def _smooth(count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a smooth random curve (N,), float32, around 0, in [-1, 1]."""
    knots = rng.uniform(-1.0, 1.0, _KNOTS)
    return np.interp(np.linspace(0, _KNOTS - 1, count), np.arange(_KNOTS), knots).astype(np.float32)


def _drawn(gray: Gray, strokes: Sequence[Stroke]) -> Gray:
    """Return a copy of gray (H, W) with the strokes drawn, dark ones first."""
    gray = np.array(gray, dtype=np.float32, order="C")
    for light in (False, True):
        chosen = [stroke for stroke in strokes if stroke.light is light]
        if chosen:
            index, cover = _stamped(
                gray.shape,
                np.concatenate([stroke.points for stroke in chosen]),
                np.concatenate([stroke.radius for stroke in chosen]),
                np.concatenate([stroke.opacity for stroke in chosen]),
            )
            under = gray.ravel()[index]
            gray.ravel()[index] = under + cover * (np.float32(light) - under)
    return gray


def _stamped(
    shape: tuple[int, ...],
    points: NDArray[np.float32],
    radius: NDArray[np.float32],
    opacity: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the flat indices (N,) of the pixels under the stamps, and their maximum coverage (N,)."""
    height, width = shape
    reach = int(np.ceil(radius.max(initial=0.0) + 0.5))
    offsets = np.arange(-reach, reach + 1)
    nearest = np.rint(points).astype(np.int64)
    rows, columns = nearest[:, :1] + offsets, nearest[:, 1:] + offsets
    squares = [
        ((near - exact) ** 2).astype(np.float32)
        for near, exact in ((rows, points[:, :1]), (columns, points[:, 1:]))
    ]
    distance = np.sqrt(squares[0][:, :, None] + squares[1][:, None, :])
    cover = np.clip((radius + np.float32(0.5))[:, None, None] - distance, 0.0, 1.0)
    cover *= opacity[:, None, None]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    inside &= cover > 0
    index = (rows[:, :, None] * width + columns[:, None, :])[inside]
    mask = np.zeros(height * width, np.float32)
    np.maximum.at(mask, index, cover[inside])
    return index, mask[index]
