"""Color metrics of predicted chroma against the true picture, with those of the gray picture as baseline.

CIE L*a*b* is that of `arrays.lab`: in scikit-image's, grays are up to 0.005 off neutral.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from restoration.arrays.lab import lab, shown_rgb
from restoration.arrays.luma import Float
from restoration.training.dataset import LUMA, Picture, chroma_of
from restoration.training.recipe import TrainingError

Floats = NDArray[np.floating]
Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class ColorMetrics:
    """Metrics of one rendering of one picture, or their means over several pictures."""

    psnr: float  # dB, of RGB, luminance kept
    chroma_l1: float  # mean |Cb| and |Cr| error, in units in which the full range is 1
    ciede2000: float  # mean color difference
    colorfulness: float  # Hasler & Suesstrunk 2003


@dataclass(frozen=True, slots=True)
class SetMetrics:
    """Means over a set of pictures: as predicted, left gray, and the truth."""

    set: str
    pictures: int
    predicted: ColorMetrics
    gray: ColorMetrics
    truth: ColorMetrics

    @property
    def chroma_ratio(self) -> float:
        """Chroma L1 relative to the gray picture's; below 1 is better than gray."""
        return self.predicted.chroma_l1 / max(self.gray.chroma_l1, 1e-9)

    @property
    def colorfulness_ratio(self) -> float:
        """Colorfulness relative to the truth's."""
        return self.predicted.colorfulness / max(self.truth.colorfulness, 1e-9)

    def entries(self) -> dict[str, Any]:
        """Return metrics and ratios, as JSON can hold them."""
        ratios = {"chroma_ratio": self.chroma_ratio, "colorfulness_ratio": self.colorfulness_ratio}
        return asdict(self) | ratios

    @property
    def score(self) -> float:
        """The criterion that picks a checkpoint; lower is better.

        The chroma ratio, plus a tenth of what the colorfulness ratio lacks to 0.6: error alone prefers gray,
        colorfulness alone prefers strong colors. A tenth is about the rise of the error when the chroma is
        stretched (docs/decisions/0011).
        """
        return self.chroma_ratio + 0.1 * max(0.0, 0.6 - self.colorfulness_ratio)


@dataclass(frozen=True, slots=True)
class HeldOutPicture:
    """A color picture at the size of evaluation, with the metrics of its gray copy and its own."""

    set: str
    rgb: NDArray[np.uint8]
    luma: NDArray[np.float32]
    gray: ColorMetrics
    truth: ColorMetrics


def held_out_pictures(pictures: Iterable[Picture], side: int) -> tuple[HeldOutPicture, ...]:
    """Reduce pictures to a longer side of `side` pixels, and measure each as gray and as it is."""
    found = []
    for picture in pictures:
        rgb = reduced(picture.rgb, side)
        luma = rgb.astype(np.float32) @ LUMA / np.float32(255.0)
        chroma = chroma_of(rgb)
        gray, truth = color_metrics(rgb, luma, np.zeros_like(chroma)), color_metrics(rgb, luma, chroma)
        found.append(HeldOutPicture(picture.set, rgb, luma, gray, truth))
    return tuple(found)


def metrics_by_set(predict: Predict, pictures: Iterable[HeldOutPicture]) -> tuple[SetMetrics, ...]:
    """Measure a predictor: first the means over all pictures, named "all", then those of each set by name.

    `predict` takes gray (N, H, W), float32 in [0, 1], here the BT.601 luma, and returns chroma (N, 2, H, W).
    """
    sets: dict[str, list[tuple[ColorMetrics, ColorMetrics, ColorMetrics]]] = {}
    for one in pictures:
        predicted = color_metrics(one.rgb, one.luma, predict(one.luma[None])[0])
        sets.setdefault(one.set, []).append((predicted, one.gray, one.truth))
    every = [entry for entries in sets.values() for entry in entries]
    return (mean_metrics("all", every), *(mean_metrics(name, sets[name]) for name in sorted(sets)))


def color_metrics(
    truth: NDArray[np.uint8], luma: NDArray[np.float32], chroma: NDArray[np.float32]
) -> ColorMetrics:
    """Compare luma (H, W) in [0, 1] under chroma (2, H, W) in [-0.5, 0.5] with true sRGB bytes (H, W, 3)."""
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
    """Colorfulness of sRGB (H, W, 3) in [0, 1], on the scale of bytes; Hasler & Süsstrunk 2003."""
    red, green, blue = (255.0 * rgb[..., channel] for channel in range(3))
    opponent = np.stack((red - green, 0.5 * (red + green) - blue))
    spread, mean = opponent.std(axis=(1, 2)), opponent.mean(axis=(1, 2))
    return float(np.hypot(*spread) + 0.3 * np.hypot(*mean))


def require_scikit_image() -> None:
    """Raise TrainingError if scikit-image is not installed."""
    if find_spec("skimage") is None:
        raise TrainingError(reason="scikit-image is not installed", remedy="pip install 'saek[train]'")


def ciede2000(first: Floats, second: Floats) -> NDArray[np.float64]:
    """CIEDE2000 color difference of CIE L*a*b* values (..., 3) -> (...), Sharma, Wu & Dalal 2005.

    Raises TrainingError if scikit-image is not installed.
    """
    require_scikit_image()
    from skimage.color import deltaE_ciede2000  # noqa: PLC0415  (an extra)

    first, second = (np.asarray(values, dtype=np.float64) for values in (first, second))
    return np.asarray(deltaE_ciede2000(first, second))  # type: ignore[no-untyped-call]


def mean_metrics(name: str, entries: Sequence[tuple[ColorMetrics, ColorMetrics, ColorMetrics]]) -> SetMetrics:
    """Return the means over the pictures of a set; each entry is a picture as predicted, gray and true."""
    predicted, gray, truth = (
        ColorMetrics(*(float(np.mean(values)) for values in zip(*map(astuple, column), strict=True)))
        for column in zip(*entries, strict=True)
    )
    return SetMetrics(name, len(entries), predicted, gray, truth)


def chroma_error(made: NDArray[np.uint8], true: NDArray[np.uint8]) -> Float:
    """Return the Euclidean distance (H, W) between the (Cb, Cr) of two sRGB pictures (H, W, 3), bytes."""
    return np.asarray(np.hypot(*(chroma_of(made) - chroma_of(true))), dtype=np.float32)
