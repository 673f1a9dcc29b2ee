"""The gray picture that film would have made of a color picture.

Light is weighed by the emulsion's sensitivity in linear light, developed by a characteristic curve, faded,
darkened towards the corners, softened, grained and sometimes compressed, in the order in which this befalls
a photograph.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Gray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Emulsion:
    """A kind of film: how much it answers to linear red, green and blue light (the three sum to 1)."""

    name: str
    response: tuple[float, float, float]
    share: float


# Collodion, dry plates and early roll film see blue; orthochromatic film (from the 1880s) sees green too;
# panchromatic film (from the 1920s) sees all. The last is today's luminance, for prints and copies.
EMULSIONS = (
    Emulsion("blue-sensitive", (0.02, 0.13, 0.85), 0.15),
    Emulsion("orthochromatic", (0.05, 0.55, 0.40), 0.25),
    Emulsion("panchromatic", (0.25, 0.40, 0.35), 0.35),
    Emulsion("luminance", (0.2126, 0.7152, 0.0722), 0.25),
)

# Concentration of the Dirichlet jitter of a response: about 6 % deviation on a weight of one half.
RESPONSE_CONCENTRATION = 60.0

_BYTES = np.arange(256) / 255.0
_LINEAR = np.where(_BYTES <= 0.04045, _BYTES / 12.92, ((_BYTES + 0.055) / 1.055) ** 2.4).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Film:
    """One piece of film and its history; `develop` makes the gray picture.

    Lengths are in pixels of the picture, strengths in parts of the range black to white.
    """

    response: tuple[float, float, float] = (0.2126, 0.7152, 0.0722)
    gamma: float = 1.0
    black: float = 0.0
    white: float = 1.0
    shoulder: float = 0.0
    vignette: float = 0.0
    blur: float = 0.0
    grain: float = 0.0
    grain_size: float = 0.0
    jpeg: int | None = None


def choose_film(rng: np.random.Generator) -> Film:
    """Draw a film and its history. The same generator state gives the same film."""
    emulsion = EMULSIONS[rng.choice(len(EMULSIONS), p=[emulsion.share for emulsion in EMULSIONS])]
    red, green, blue = rng.dirichlet(np.asarray(emulsion.response) * RESPONSE_CONCENTRATION + 0.05)
    faded = rng.random() < 0.35
    return Film(
        response=(float(red), float(green), float(blue)),
        gamma=float(np.exp(rng.uniform(np.log(0.7), np.log(1.4)))),
        black=float(rng.uniform(0.0, 0.22)) if faded else float(rng.uniform(-0.04, 0.04)),
        white=float(rng.uniform(0.72, 1.0)) if faded else float(rng.uniform(0.92, 1.06)),
        shoulder=float(rng.uniform(0.0, 0.8)),
        vignette=float(rng.uniform(0.0, 0.35)) if rng.random() < 0.3 else 0.0,
        blur=float(rng.uniform(0.3, 1.2)) if rng.random() < 0.3 else 0.0,
        grain=float(rng.uniform(0.003, 0.035)) if rng.random() < 0.6 else 0.0,
        grain_size=float(rng.uniform(0.0, 0.9)),
        jpeg=int(rng.integers(45, 96)) if rng.random() < 0.2 else None,
    )


def develop(rgb: NDArray[np.uint8], film: Film, rng: np.random.Generator) -> Gray:
    """Color picture (H, W, 3), sRGB bytes -> the gray picture (H, W), float32 in [0, 1], sRGB-encoded.

    Pure in (rgb, film, state of rng); the generator draws the grain only.
    """
    light = _LINEAR[rgb] @ np.asarray(film.response, dtype=np.float32)
    tone = _encode(light) ** np.float32(film.gamma)
    if film.shoulder:
        smooth = tone * tone * (3.0 - 2.0 * tone)
        tone = tone + np.float32(film.shoulder) * (smooth - tone)
    tone = film.black + tone * (film.white - film.black)
    if film.vignette:
        tone = tone * _falloff(tone.shape, film.vignette)
    if film.blur:
        tone = soften(tone.astype(np.float32), film.blur)
    if film.grain:
        tone = tone + _grain(tone, film, rng)
    gray = np.clip(tone, 0.0, 1.0).astype(np.float32)
    return gray if film.jpeg is None else _compressed(gray, film.jpeg)


def photograph(rgb: NDArray[np.uint8], rng: np.random.Generator) -> Gray:
    """Take the picture (H, W, 3) on film drawn from `rng` -> gray (H, W), float32 in [0, 1]."""
    return develop(rgb, choose_film(rng), rng)


def soften(gray: Gray, sigma: float) -> Gray:
    """Blur (H, W) by a Gaussian of `sigma` pixels; the border is mirrored."""
    reach = max(1, int(np.ceil(2.5 * sigma)))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    height, width = gray.shape
    padded = np.pad(gray, reach, mode="symmetric")
    rows = sum(tap * padded[offset : offset + height] for offset, tap in enumerate(taps))
    columns = sum(tap * rows[:, offset : offset + width] for offset, tap in enumerate(taps))
    return np.asarray(columns, dtype=np.float32)


def _encode(light: NDArray[np.float32]) -> NDArray[np.float32]:
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def _falloff(shape: tuple[int, ...], strength: float) -> NDArray[np.float32]:
    rows = np.linspace(-1.0, 1.0, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1.0, 1.0, shape[1], dtype=np.float32)[None, :]
    return np.asarray(1.0 - np.float32(strength) * (rows**2 + columns**2) / 2.0, dtype=np.float32)


def _grain(tone: NDArray[np.float32], film: Film, rng: np.random.Generator) -> NDArray[np.float32]:
    """Grain is strongest in the middle tones, where half of the crystals are developed (Selwyn)."""
    noise = rng.standard_normal(tone.shape, dtype=np.float32)
    if film.grain_size > 0.2:
        noise = soften(noise, film.grain_size)
        noise /= max(float(noise.std()), 1e-6)
    middle = 0.4 + 2.4 * np.clip(tone * (1.0 - tone), 0.0, 0.25)
    return np.asarray(np.float32(film.grain) * noise * middle, dtype=np.float32)


def _compressed(gray: Gray, quality: int) -> Gray:
    buffer = io.BytesIO()
    Image.fromarray(np.rint(gray * 255.0).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer, formats=("JPEG",)) as picture:
        return np.asarray(picture, dtype=np.float32) / 255.0
