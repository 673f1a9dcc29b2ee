import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from restoration import AlreadyColor, ToneKind
from restoration.monochrome import require_monochrome, tone_of

RAMP = np.linspace(0, 1, 256)


def planes(rgb: np.ndarray) -> np.ndarray:
    return np.moveaxis(rgb.astype(np.float32) / 255, -1, 0)


def toned(gray: np.ndarray, *curves: np.ndarray) -> np.ndarray:
    return np.stack([(255 * curve)[gray] for curve in curves], axis=-1)


def test_one_band_is_gray(gray8: np.ndarray) -> None:
    assert tone_of(gray8[None] / np.float32(255)).kind is ToneKind.GRAY


def test_equal_bands_are_gray(gray8: np.ndarray) -> None:
    tone = tone_of(planes(np.stack([gray8] * 3, axis=-1)))
    assert (tone.kind, tone.cb, tone.cr) == (
        ToneKind.GRAY,
        pytest.approx(0, abs=1e-3),
        pytest.approx(0, abs=1e-3),
    )


@pytest.mark.parametrize(
    "curves",
    [
        pytest.param((RAMP**0.8, RAMP, RAMP**1.4), id="sepia"),
        pytest.param((0.95 * RAMP, 0.9 * RAMP, 0.7 * RAMP), id="yellowed"),
        pytest.param((RAMP**1.7, RAMP**1.1, 0.25 + 0.75 * RAMP**0.7), id="cyanotype"),
        pytest.param((RAMP, RAMP, RAMP + 0.15 * np.sin(2 * np.pi * RAMP)), id="split tone"),
    ],
)
def test_a_toned_print_is_monochrome_and_its_tone_is_told(gray8: np.ndarray, curves: tuple) -> None:
    tone = tone_of(planes(toned(gray8, *np.clip(curves, 0, 1))))
    assert tone.kind is ToneKind.TONED
    require_monochrome(tone, Path("a.tif"))
    assert np.hypot(tone.cb, tone.cr) > 0.005


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_a_color_photograph_is_refused(name: str) -> None:
    tone = tone_of(planes(getattr(data, name)()))
    with pytest.raises(AlreadyColor, match="already a color picture"):
        require_monochrome(tone, Path("a.jpg"))


def test_noise_of_color_does_not_make_a_color_picture() -> None:
    noise = np.random.default_rng(0).normal(0, 10, (512, 512, 3))
    noisy = np.clip(data.camera()[..., None] + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=70)
    with Image.open(file) as image:
        assert tone_of(planes(np.asarray(image))).kind is not ToneKind.COLOR


def test_a_small_stamp_on_a_gray_print_is_let_pass_a_large_one_not(gray8: np.ndarray) -> None:
    for share, refused in ((0.008, False), (0.3, True)):
        rgb = np.stack([gray8] * 3, axis=-1)
        side = int((gray8.size * share) ** 0.5)
        rgb[:side, :side] = rgb[:side, :side] // 2 + np.array([120, 0, 0], np.uint8)
        rgb[side : 2 * side, :side] = rgb[side : 2 * side, :side] // 2 + np.array([0, 0, 120], np.uint8)
        assert (tone_of(planes(rgb)).kind is ToneKind.COLOR) is refused


def test_a_single_pixel_has_a_tone() -> None:
    assert tone_of(np.full((3, 1, 1), 0.5, np.float32)).kind is ToneKind.GRAY
