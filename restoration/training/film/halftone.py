"""Halftone printing and its scan.

The screen is an ordered threshold with values uniform in [0, 1]; the edges of dots are about a pixel wide.
Tones are corrected first, so that the dots of a flat tone have exactly that tone as their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from restoration.training.film.development import Gray
from restoration.training.film.scanning import soften


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen of dots `period` pixels apart, rotated by `angle` degrees, scanned with a `blur` in periods.

    `ink` and `paper` are the tones of full ink and of bare paper.
    """

    period: float
    angle: float = 45.0
    blur: float = 0.3
    ink: float = 0.0
    paper: float = 1.0


def _even_ranks() -> Gray:
    """Return the share (1024,) of a cell where the mean of two cosines is below each value in [-1, 1]."""
    wave = np.cos((np.arange(256) + 0.5) * (np.pi / 256))
    cell = np.sort((wave[:, None] + wave).ravel() / 2)
    ranks = np.searchsorted(cell, np.linspace(-1, 1, 1024)) / cell.size
    return ranks.astype(np.float32)


_RANKS = _even_ranks()


def halftoned(gray: Gray, screen: Screen, rng: np.random.Generator) -> Gray:
    """Return the scan of the halftone print of gray (H, W), float32 in [0, 1]; `rng` draws the phase."""
    steepness = np.float32(max(1.0, 0.5 * screen.period))
    dots = _corrected(gray, steepness)
    dots -= _threshold(gray.shape, screen, rng)
    dots *= steepness
    dots += np.float32(0.5)
    np.clip(dots, 0.0, 1.0, out=dots)
    dots *= np.float32(screen.paper - screen.ink)
    dots += np.float32(screen.ink)
    return soften(dots, screen.blur * screen.period) if screen.blur else dots


def _corrected(gray: Gray, steepness: np.float32) -> Gray:
    """Correct tones so that mean(clip((t - U) * steepness + 1/2, 0, 1)) is gray, for U uniform in [0, 1]."""
    margin = np.float32(0.5) / steepness
    dark = np.sqrt(np.float32(2) * gray / steepness) - margin
    light = 1 + margin - np.sqrt(np.float32(2) * np.maximum(1 - gray, 0) / steepness)
    return np.where(gray < margin, dark, np.where(gray > 1 - margin, light, gray))


def _threshold(shape: tuple[int, ...], screen: Screen, rng: np.random.Generator) -> Gray:
    """Return the threshold (H, W) of each pixel, its rank within the cell."""
    turn = np.deg2rad(screen.angle)
    across, along = (2 * np.pi / screen.period * step for step in (np.cos(turn), np.sin(turn)))
    phases = rng.uniform(0.0, 2 * np.pi, 2)
    rows, columns = (np.arange(side) for side in shape)
    # cos(a + b) = cos a cos b - sin a sin b: the waves are outer products, without a cosine per pixel
    wave = _wave(along * rows, across * columns + phases[0])
    wave += _wave(across * rows, -along * columns + phases[1])
    wave += np.float32(2.0)
    wave *= np.float32(1023 / 4)
    return np.asarray(_RANKS.take(wave.astype(np.intp), mode="clip"))


def _wave(down: np.ndarray, right: np.ndarray) -> Gray:
    left = np.stack((np.cos(down), -np.sin(down)), axis=1).astype(np.float32)
    return np.asarray(left @ np.stack((np.cos(right), np.sin(right))).astype(np.float32))
