"""The metrics detect a planted seam, a palette that jumps, and one wrong pixel."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from skimage import data

from restoration.arrays import resample
from restoration.arrays.luma import rgb_with_luma
from restoration.colorize.inference import ChromaField
from restoration.colorize.seam_metrics import (
    WindowedField,
    consistency,
    luma_error,
    seam_ratio,
    seamlessness,
    shift_spread,
    windowed_field,
)

HEIGHT, WIDTH = 509, 661


@pytest.fixture(scope="module")
def luminance() -> np.ndarray:
    """A smooth picture with a little grain."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    grain = np.random.default_rng(1).normal(0, 0.002, (HEIGHT, WIDTH))
    return (0.5 + 0.2 * np.sin(rows / 90) * np.cos(columns / 130) + grain).astype(np.float32)


@pytest.fixture(scope="module")
def field(luminance: np.ndarray) -> ChromaField:
    """Colors that follow the picture, cut into windows and put together again."""
    smooth = resample.resize(luminance, 127, 165)
    palette = np.stack((0.2 * (0.5 - smooth), 0.15 * (smooth - 0.4))).astype(np.float32)
    noise = np.random.default_rng(2).normal(0, 5e-4, (2, HEIGHT, WIDTH)).astype(np.float32)
    return ChromaField(resample.enlarge(palette, HEIGHT, WIDTH) + noise, (0, 1), 1, palette, 128, (0, 0))


def laid(field: ChromaField, luminance: np.ndarray) -> WindowedField:
    found = windowed_field(field, luminance)
    assert found is not None
    return found


def test_a_picture_without_seams_has_the_ratio_one(field: ChromaField, luminance: np.ndarray) -> None:
    assert seam_ratio([laid(field, luminance)]) == pytest.approx(1, abs=0.05)


def test_a_planted_seam_is_caught(field: ChromaField, luminance: np.ndarray) -> None:
    """Each second window is half a Lab unit bluer: no eye sees it, the ratio does."""
    one = laid(field, luminance)
    bluer = np.zeros(WIDTH, np.float32)
    for number, (start, stop) in enumerate(zip((0, *one.columns), (*one.columns, WIDTH), strict=True)):
        bluer[start:stop] = 0.003 * (number % 2)
    seamed = field.chroma + np.stack((bluer, 0 * bluer))[:, None]
    assert seam_ratio([replace(one, chroma=seamed)]) > 1.2
    stronger = field.chroma + 4 * np.stack((bluer, 0 * bluer))[:, None]
    assert seam_ratio([replace(one, chroma=stronger)]) > 1.4


def test_a_blend_that_changes_between_the_borders_is_caught(
    field: ChromaField, luminance: np.ndarray
) -> None:
    """Colors that jump in the middle between borders give less than one."""
    one = laid(field, luminance)
    middles = {line - one.half_stride for line in one.rows} | {line + one.half_stride for line in one.rows}
    jumps = np.cumsum([0.01 * (-1) ** row if row in middles else 0.0 for row in range(HEIGHT)])
    jumping = field.chroma + jumps.astype(np.float32)[:, None]
    assert seam_ratio([replace(one, chroma=jumping)]) < 0.9


def test_edges_of_the_picture_at_the_lines_cancel_out(field: ChromaField, luminance: np.ndarray) -> None:
    """A picture whose colors change faster where borders happen to lie has no seam."""
    waves = 0.004 * np.sin((np.arange(WIDTH) + 32) * 2 * np.pi / 128 * 2).astype(np.float32)
    palette = resample.enlarge(field.palette, HEIGHT, WIDTH) + waves
    busy = replace(field, chroma=field.chroma + waves, palette=palette)
    assert seam_ratio([laid(busy, luminance)]) == pytest.approx(1, abs=0.05)


def test_a_shifted_window_grid_can_be_the_reference(field: ChromaField, luminance: np.ndarray) -> None:
    checks = 0.01 * (np.indices((HEIGHT, WIDTH)).sum(axis=0) // 19 % 2).astype(np.float32)
    one = windowed_field(field, luminance, field.chroma + checks, field.chroma + checks)
    assert one is not None
    assert seam_ratio([one]) == 1


def test_a_picture_without_flat_places_has_no_ratio(field: ChromaField) -> None:
    checks = (np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2).astype(np.float32)
    assert seam_ratio([laid(field, checks)]) is None


def test_a_field_without_windows_has_no_seam_ratio(field: ChromaField, luminance: np.ndarray) -> None:
    whole = replace(field, stride=None)
    assert windowed_field(whole, luminance) is None
    assert seamlessness(whole, luminance, field.chroma, field.palette).seam_ratio is None


def test_a_planted_palette_jump_is_caught(field: ChromaField, luminance: np.ndarray) -> None:
    """The right half of the picture was painted from a palette of its own."""
    assert seamlessness(field, luminance, field.chroma, field.palette).consistency < 0.2
    jumped = field.chroma.copy()
    jumped[1, :, WIDTH // 2 :] += 0.02
    assert seamlessness(field, luminance, jumped, field.palette).consistency > 1


def test_consistency_does_not_depend_on_the_size(field: ChromaField, luminance: np.ndarray) -> None:
    half = resample.resize(field.chroma, HEIGHT // 2, WIDTH // 2)
    assert consistency(half, field.palette, luminance) == pytest.approx(0, abs=0.1)


def test_colors_that_follow_the_windows_are_caught(field: ChromaField, luminance: np.ndarray) -> None:
    moods = [0.02 * np.sin((np.arange(WIDTH) + shift) / 40).astype(np.float32) for shift in (0, 30, 60, 90)]
    assert shift_spread([field.chroma] * 4, luminance) == 0
    assert shift_spread([field.chroma + mood for mood in moods], luminance) > 0.5


def test_the_spread_is_a_standard_deviation_in_lab_units() -> None:
    gray = np.full((2, 8, 8), 0, np.float32)
    luminance = np.full((8, 8), 0.5, np.float32)
    apart = consistency(gray + 0.01, gray, luminance)
    assert shift_spread([gray, gray + 0.01], luminance) == pytest.approx(apart / 2, rel=0.01)


def test_the_spread_of_a_large_picture_takes_little_memory() -> None:
    """Less than the pictures themselves: 4 x 2 planes of 4 bytes."""
    luminance = np.full((2048, 512), 0.5, np.float32)
    shifted = [np.full((2, 2048, 512), shift, np.float32) for shift in (0, 0.01, 0.02, 0.03)]
    tracemalloc.start()
    shift_spread(shifted, luminance)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < sum(chroma.nbytes for chroma in shifted)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_one_wrong_pixel_is_caught(depth: type) -> None:
    gray = data.camera().astype(depth) * (257 if depth is np.uint16 else 1)
    chroma = np.full((2, *gray.shape), 0.1, np.float32)
    rgb = rgb_with_luma(gray, *chroma)
    assert luma_error(rgb, gray) == 0
    rgb[300, 200, 1] += 2
    assert luma_error(rgb, gray) == 1
