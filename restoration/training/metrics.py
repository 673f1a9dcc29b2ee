"""How far a colored picture is from the true one, and how far the gray one is.

Every figure stands beside two others: the gray picture's, which must be beaten, and the true picture's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restoration.arrays.lab import lab, shown_rgb
from restoration.arrays.luma import Float
from restoration.training.dataset import LUMA, Picture, chroma_of

Floats = NDArray[np.floating]
Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class ColorMetrics:
    """The figures of one rendering of one picture, or their mean over many."""

    psnr: float  # dB, of RGB, luminance kept
    chroma_l1: float  # mean |Cb| and |Cr| error, in units in which the full range is 1
    ciede2000: float  # mean color difference
    colorfulness: float  # Hasler & Suesstrunk 2003


@dataclass(frozen=True, slots=True)
class SetMetrics:
    """One set's means: as predicted, left gray, and the truth."""

    set: str
    pictures: int
    predicted: ColorMetrics
    gray: ColorMetrics
    truth: ColorMetrics

    @property
    def chroma_ratio(self) -> float:
        """Chroma L1 in parts of the gray picture's; below 1 is better than gray."""
        return self.predicted.chroma_l1 / max(self.gray.chroma_l1, 1e-9)

    @property
    def colorfulness_ratio(self) -> float:
        """Colorfulness in parts of the truth's."""
        return self.predicted.colorfulness / max(self.truth.colorfulness, 1e-9)

    @property
    def score(self) -> float:
        """What picks a checkpoint, the less the better.

        The chroma error against gray, and a tenth of what the colorfulness lacks to 60 % of the truth: the
        error alone prefers gray, the colorfulness alone prefers paint. A tenth is about what the error rises
        by when the chroma is stretched (docs/decisions/0011).
        """
        return self.chroma_ratio + 0.1 * max(0.0, 0.6 - self.colorfulness_ratio)


@dataclass(frozen=True, slots=True)
class HeldOutPicture:
    """A color picture at the size of measuring, with the figures that stand beside any prediction."""

    set: str
    rgb: NDArray[np.uint8]
    luma: NDArray[np.float32]
    gray: ColorMetrics
    truth: ColorMetrics


def held_out_pictures(pictures: Iterable[Picture], side: int) -> tuple[HeldOutPicture, ...]:
    """Reduce pictures to a longer side of `side` pixels; measure each left gray and as it truly is."""
    found = []
    for picture in pictures:
        rgb = reduced(picture.rgb, side)
        luma = rgb.astype(np.float32) @ LUMA / np.float32(255.0)
        chroma = chroma_of(rgb)
        gray, truth = color_metrics(rgb, luma, np.zeros_like(chroma)), color_metrics(rgb, luma, chroma)
        found.append(HeldOutPicture(picture.set, rgb, luma, gray, truth))
    return tuple(found)


def metrics_by_set(predict: Predict, against: Iterable[HeldOutPicture]) -> tuple[SetMetrics, ...]:
    """Measure a predictor.

    `predict` takes gray (N, H, W) float32 in [0, 1], here the BT.601 luma, and gives chroma (N, 2, H, W). The
    first row is the mean over all pictures, named "all"; one row a set follows.
    """
    figures: dict[str, list[tuple[ColorMetrics, ColorMetrics, ColorMetrics]]] = {}
    for one in against:
        predicted = color_metrics(one.rgb, one.luma, predict(one.luma[None])[0])
        figures.setdefault(one.set, []).append((predicted, one.gray, one.truth))
    every = [entry for entries in figures.values() for entry in entries]
    return (_row("all", every), *(_row(name, figures[name]) for name in sorted(figures)))


def color_metrics(
    truth: NDArray[np.uint8], luma: NDArray[np.float32], chroma: NDArray[np.float32]
) -> ColorMetrics:
    """Compare luma (H, W) under chroma (2, H, W) with the true sRGB bytes (H, W, 3)."""
    colored = shown_rgb(luma, chroma)
    true = truth.astype(np.float32) / 255.0
    error = max(float(np.mean((colored - true) ** 2)), 1e-6)
    return ColorMetrics(
        psnr=-10.0 * float(np.log10(error)),
        chroma_l1=float(np.abs(chroma - chroma_of(truth)).mean()),
        ciede2000=float(ciede2000(lab(colored[::2, ::2]), lab(true[::2, ::2])).mean()),
        colorfulness=colorfulness(colored),
    )


def reduced(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Reduce (H, W, 3) to a longer side of at most `side`; both sides become multiples of 32."""
    height, width = rgb.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(32, round(width * scale / 32) * 32), max(32, round(height * scale / 32) * 32))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def colorfulness(rgb: Floats) -> float:
    """Hasler & Suesstrunk 2003, of sRGB (H, W, 3) in [0, 1], on their scale of bytes."""
    red, green, blue = (255.0 * rgb[..., channel] for channel in range(3))
    opponent = np.stack((red - green, 0.5 * (red + green) - blue))
    spread, mean = opponent.std(axis=(1, 2)), opponent.mean(axis=(1, 2))
    return float(np.hypot(*spread) + 0.3 * np.hypot(*mean))


def ciede2000(first: Floats, second: Floats) -> NDArray[np.float64]:
    """Color difference of CIE L*a*b* values (..., 3) -> (...), after Sharma, Wu & Dalal 2005."""
    l1, a1, b1 = np.moveaxis(np.asarray(first, dtype=np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(second, dtype=np.float64), -1, 0)
    mean_c = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2.0
    stretch = 1.5 - 0.5 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    a1, a2 = stretch * a1, stretch * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360.0, np.degrees(np.arctan2(b2, a2)) % 360.0
    colored = c1 * c2 > 0.0
    turn = np.where(colored, (h2 - h1 + 180.0) % 360.0 - 180.0, 0.0)
    # Half a turn apart: the sign is the standard's, which the modulo above would lose.
    turn = np.where(colored & (np.abs(h2 - h1) == 180.0), h2 - h1, turn)
    delta_l, delta_c = l2 - l1, c2 - c1
    delta_h = 2.0 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2.0))
    mean_l, mean_c = (l1 + l2) / 2.0, (c1 + c2) / 2.0
    around = np.abs(h1 - h2) > 180.0
    mean_h = np.where(around, (h1 + h2 + np.where(h1 + h2 < 360.0, 360.0, -360.0)) / 2.0, (h1 + h2) / 2.0)
    mean_h = np.where(colored, mean_h, h1 + h2)
    t = (
        1.0
        - 0.17 * np.cos(np.radians(mean_h - 30.0))
        + 0.24 * np.cos(np.radians(2.0 * mean_h))
        + 0.32 * np.cos(np.radians(3.0 * mean_h + 6.0))
        - 0.20 * np.cos(np.radians(4.0 * mean_h - 63.0))
    )
    s_l = 1.0 + 0.015 * (mean_l - 50.0) ** 2 / np.sqrt(20.0 + (mean_l - 50.0) ** 2)
    s_c, s_h = 1.0 + 0.045 * mean_c, 1.0 + 0.015 * mean_c * t
    rotation = (
        -2.0
        * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
        * np.sin(np.radians(60.0 * np.exp(-(((mean_h - 275.0) / 25.0) ** 2))))
    )
    light, chroma, hue = delta_l / s_l, delta_c / s_c, delta_h / s_h
    return np.asarray(np.sqrt(np.maximum(light**2 + chroma**2 + hue**2 + rotation * chroma * hue, 0.0)))


def _row(name: str, entries: Sequence[tuple[ColorMetrics, ColorMetrics, ColorMetrics]]) -> SetMetrics:
    predicted, gray, truth = (_mean([entry[column] for entry in entries]) for column in range(3))
    return SetMetrics(name, len(entries), predicted, gray, truth)


def _mean(figures: Sequence[ColorMetrics]) -> ColorMetrics:
    def mean(values: Iterable[float]) -> float:
        return float(np.mean(list(values)))

    return ColorMetrics(
        psnr=mean(entry.psnr for entry in figures),
        chroma_l1=mean(entry.chroma_l1 for entry in figures),
        ciede2000=mean(entry.ciede2000 for entry in figures),
        colorfulness=mean(entry.colorfulness for entry in figures),
    )


def chroma_error(made: NDArray[np.uint8], true: NDArray[np.uint8]) -> Float:
    """Return the distance (H, W) between the (Cb, Cr) of RGB bytes (H, W, 3)."""
    return np.asarray(np.hypot(*(chroma_of(made) - chroma_of(true))), dtype=np.float32)
