"""Neither the shipped model nor a generator in windows leaves seams on pictures of any size."""

import numpy as np
import pytest

from restoration import LoadedModel, Preset, default_model, load_model
from restoration.arrays import resample, tiling
from restoration.arrays.luma import rgb_with_luma
from restoration.colorize import seam_metrics
from restoration.colorize.guided_filter import Upsampler
from restoration.colorize.inference import colorize
from restoration.colorize.plan import guide_side, plan_passes
from restoration.generators.models import InputSpec

SIZES = [(40, 40), (331, 257), (641, 480), (61, 1220)]
WINDOWED = [(331, 257), (523, 619), (163, 3259)]
"""Primes, the last a panorama of 1:20: sizes that instance normalization needs windows for."""


def gray_picture(kind: str, height: int, width: int) -> np.ndarray:
    """A gray picture (H, W), uint16: flat, a gradient, grain, or a checkerboard."""
    rows, columns = np.mgrid[0:height, 0:width]
    made = {
        "flat": np.full((height, width), 0.6),
        "gradient": (rows + columns) / (height + width),
        "grainy": 0.5 + np.random.default_rng(height).normal(0, 0.06, (height, width)),
        "checkered": 0.3 + 0.4 * ((rows // 19 + columns // 19) % 2),
    }[kind]
    return np.rint(np.clip(made, 0, 1) * 65535).astype(np.uint16)


@pytest.fixture(scope="module")
def shipped() -> LoadedModel:
    return load_model(default_model(), "cpu", 1)


class Normalizing:
    """A fake engine that normalizes by instance, or by shared statistics, and colors softly."""

    name = "test/cpu/normalizing"

    def __init__(self, statistics: tuple[float, float] | None = None) -> None:
        self.statistics = statistics

    def predict(self, gray: np.ndarray) -> np.ndarray:
        mean, variance = (gray.mean(axis=(1, 2), keepdims=True), gray.var(axis=(1, 2), keepdims=True))
        if self.statistics is not None:
            mean, variance = self.statistics
        height, width = gray.shape[1:]
        soft = resample.enlarge(resample.reduce(gray, height // 8, width // 8), height, width)
        tone = np.tanh((soft - mean) / np.sqrt(variance + 1e-3))
        return np.stack((-0.08 * tone, 0.06 * tone), axis=1).astype(np.float32)

    def with_statistics(self, pictures: np.ndarray, weights: np.ndarray) -> "Normalizing":
        share, means = weights / weights.sum(), pictures.mean(axis=(1, 2))
        mean = float((share * means).sum())
        return Normalizing((mean, float((share * (pictures.var(axis=(1, 2)) + (means - mean) ** 2)).sum())))


@pytest.fixture(scope="module")
def normalizing() -> LoadedModel:
    return LoadedModel(Normalizing(), InputSpec(256, 256, "instance"), "0" * 64)


def finished(gray: np.ndarray, preset: Preset, model: LoadedModel, offsets: list[tuple[int, int]]):
    """Color once for each offset: return the luminance, and the field and chroma of each run."""
    height, width = gray.shape
    luminance = gray.astype(np.float32) / np.float32(65535)
    side = min(max(height, width), guide_side(preset, height, width))
    copy = resample.resize(luminance, *resample.fit(height, width, side))
    fields = [colorize(copy, preset, model.spec, model.engine, offset=offset) for offset in offsets]
    return luminance, [
        (one, Upsampler.solve(one.chroma, copy, height, width).rows(0, gray)) for one in fields
    ]


@pytest.mark.parametrize("kind", ["flat", "gradient", "grainy", "checkered"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("preset", [Preset.BALANCED, Preset.FINE])
def test_the_shipped_model_keeps_to_the_palette(
    shipped: LoadedModel, preset: Preset, size: tuple[int, int], kind: str
) -> None:
    gray = gray_picture(kind, *size)
    luminance, ((field, chroma),) = finished(gray, preset, shipped, [(0, 0)])
    assert field.stride is None
    assert all(one.stride is None for one in plan_passes(*size, preset, shipped.spec).details)
    assert seam_metrics.consistency(chroma, field.palette, luminance) < 1
    assert seam_metrics.luma_error(rgb_with_luma(gray, *chroma), gray) == 0


@pytest.mark.parametrize("kind", ["flat", "gradient", "grainy", "checkered"])
@pytest.mark.parametrize("size", WINDOWED)
@pytest.mark.parametrize("preset", [Preset.BALANCED, Preset.FINE])
def test_windows_with_shared_statistics_leave_no_seams(
    normalizing: LoadedModel, preset: Preset, size: tuple[int, int], kind: str
) -> None:
    gray = gray_picture(kind, *size)
    luminance, runs = finished(gray, preset, normalizing, [(0, 0), (17, 99), (80, 3), (51, 64)])
    assert all(field.stride for field, _ in runs)
    assert seam_metrics.shift_spread([chroma for _, chroma in runs], luminance) < 0.5
    others = [chroma for _, chroma in (*runs[1:], runs[0])]
    windowed = [
        seam_metrics.windowed_field(*run, other)
        for run, other in zip(((f, luminance, c) for f, c in runs), others, strict=True)
    ]
    ratio = seam_metrics.seam_ratio([one for one in windowed if one])
    assert ratio == pytest.approx(1, abs=0.05)
    for field, chroma in runs:
        assert seam_metrics.consistency(chroma, field.palette, luminance) < 1
        assert seam_metrics.luma_error(rgb_with_luma(gray, *chroma), gray) == 0


@pytest.mark.parametrize("preset", [Preset.BALANCED, Preset.FINE, Preset.NATIVE])
def test_the_faint_ripple_of_a_blank_half_is_not_amplified(normalizing: LoadedModel, preset: Preset) -> None:
    """Windows of the blank half alone are run with the statistics of the whole picture.

    With their own, the ripple would get three times the color that is allowed here with `balanced`, and more
    with the others.
    """
    rows, columns = np.mgrid[0:523, 0:1021]
    busy = 0.5 + 0.4 * np.sign(np.sin(rows / 37) * np.sin(columns / 37))
    blank = 0.7 + 0.01 * np.sin(rows / 5) * np.sin(columns / 5)
    picture = np.where(columns < 510, busy, blank).astype(np.float32)
    field = colorize(picture, preset, normalizing.spec, normalizing.engine)
    assert field.stride
    height, width = field.chroma.shape[1:]
    inside = field.chroma[:, height // 4 : -height // 4, int(0.8 * width) : int(0.95 * width)]
    assert inside.std(axis=(1, 2)).max() < 0.00015


def test_windows_by_their_own_statistics_would_be_caught(normalizing: LoadedModel) -> None:
    """The tests above would fail for naive windows, each with a palette of its own."""
    gray = gray_picture("gradient", 523, 619)
    luminance = gray.astype(np.float32) / np.float32(65535)
    naive = []
    for offset in ((0, 0), (17, 99), (80, 3), (51, 64)):
        merged = np.zeros((2, *gray.shape), np.float32)
        for window in tiling.windows(*gray.shape, 128, offset):
            window.add(normalizing.engine.predict(window.cut(luminance)[None])[0], merged)
        naive.append(merged)
    palette = colorize(luminance, Preset.BALANCED, normalizing.spec, normalizing.engine).palette
    assert seam_metrics.shift_spread(naive, luminance) > 0.5
    assert seam_metrics.consistency(naive[0], palette, luminance) > 1
