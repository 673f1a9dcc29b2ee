import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import color, data, transform

from restoration import AlreadyColor, Input, Output, ToneKind, recipe_for, restore
from restoration.masters.monochrome import measure_tone, require_monochrome

RAMP = np.linspace(0, 1, 256)


def planes(rgb: np.ndarray) -> np.ndarray:
    return np.moveaxis(rgb.astype(np.float32) / 255, -1, 0)


def toned(gray: np.ndarray, *curves: np.ndarray) -> np.ndarray:
    return np.stack([(255 * curve)[gray] for curve in curves], axis=-1)


def test_one_band_is_gray(gray8: np.ndarray) -> None:
    assert measure_tone(gray8[None] / np.float32(255)).kind is ToneKind.GRAY


def test_equal_bands_are_gray(gray8: np.ndarray) -> None:
    tone = measure_tone(planes(np.stack([gray8] * 3, axis=-1)))
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
def test_a_toned_print_is_monochrome_and_its_tone_measured(gray8: np.ndarray, curves: tuple) -> None:
    tone = measure_tone(planes(toned(gray8, *np.clip(curves, 0, 1))))
    assert tone.kind is ToneKind.TONED
    require_monochrome(tone, Path("a.tif"))
    assert np.hypot(tone.cb, tone.cr) > 0.005


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_a_color_photograph_is_refused(name: str) -> None:
    tone = measure_tone(planes(getattr(data, name)()))
    with pytest.raises(AlreadyColor, match="already a color picture"):
        require_monochrome(tone, Path("a.jpg"))


def test_color_noise_does_not_make_a_color_picture() -> None:
    noise = np.random.default_rng(0).normal(0, 10, (512, 512, 3))
    noisy = np.clip(data.camera()[..., None] + noise, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=70)
    with Image.open(file) as image:
        assert measure_tone(planes(np.asarray(image))).kind is not ToneKind.COLOR


def test_a_small_stamp_is_accepted_and_a_large_one_refused(gray8: np.ndarray) -> None:
    for share, refused in ((0.008, False), (0.3, True)):
        rgb = np.stack([gray8] * 3, axis=-1)
        side = int((gray8.size * share) ** 0.5)
        rgb[:side, :side] = rgb[:side, :side] // 2 + np.array([120, 0, 0], np.uint8)
        rgb[side : 2 * side, :side] = rgb[side : 2 * side, :side] // 2 + np.array([0, 0, 120], np.uint8)
        assert (measure_tone(planes(rgb)).kind is ToneKind.COLOR) is refused


def flat(colors: list[tuple[int, int, int]], seed: int = 3) -> np.ndarray:
    """Return a few flat colors in patches of 8 x 8, as RGB (256, 256, 3)."""
    chosen = np.random.default_rng(seed).integers(0, len(colors), (32, 32))
    return np.kron(np.array(colors, np.uint8)[chosen], np.ones((8, 8, 1), np.uint8))


RED, GREEN, BLUE = (255, 0, 0), (0, 128, 0), (0, 0, 255)
BLACK, WHITE, CREAM = (0, 0, 0), (255, 255, 255), (240, 225, 190)


@pytest.mark.parametrize(
    "colors",
    [
        pytest.param([RED, GREEN, BLUE, BLACK], id="red, green, blue, black"),
        pytest.param([RED, GREEN, BLUE, BLACK, WHITE], id="and white"),
        pytest.param([RED, BLUE, WHITE], id="flag"),
        pytest.param([(200, 40, 40), BLACK, CREAM], id="poster in red and black"),
        pytest.param([(220, 120, 20), (20, 90, 150), CREAM], id="poster in orange and blue"),
        pytest.param([(90, 90, 90), (60, 90, 200)], id="one blue among gray"),
    ],
)
def test_a_few_flat_colors_are_color(colors: list) -> None:
    """Each chroma has a different luminance, so chroma is a function of luminance."""
    assert measure_tone(planes(flat(colors))).kind is ToneKind.COLOR


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_of_pure_colors_is_refused(tmp_path: Path, dtype: type, order: str) -> None:
    rgb = flat([RED, GREEN, BLUE, BLACK]).astype(dtype) * (1 if dtype is np.uint8 else 257)
    tifffile.imwrite(tmp_path / "rgb.tif", rgb, bigtiff=True, byteorder=order, photometric="rgb")
    with pytest.raises(AlreadyColor):
        restore(Input(tmp_path / "rgb.tif"), recipe_for(), Output(tmp_path / "out.tif"))
    assert not (tmp_path / "out.tif").exists()


LAB_TONES = {
    # a* and b* by L*, both as parts of L* from 0 to 1: looked up in descriptions of real prints
    "albumen": lambda part: (6 * part, 22 * part),
    "cyanotype": lambda part: (-6 * part * (1 - part) * 4, -38 * part * (1 - part) * 4),
    "selenium": lambda part: (5 * (1 - part), -2 * (1 - part)),
    "split tone": lambda part: (0 * part, 12 * (2 * part - 1)),
    "green ink": lambda part: (-14 * (1 - part), 8 * (1 - part)),
    "newspaper": lambda part: (2 + 0 * part, 14 + 0 * part),
}


def lab_print(name: str) -> np.ndarray:
    """A toned print, by skimage's own color conversion: RGB (H, W, 3) of 8 bits."""
    part = transform.resize(data.camera(), (384, 384), anti_aliasing=True)
    part = 0.05 + 0.9 * part
    a, b = LAB_TONES[name](part)
    rgb = color.lab2rgb(np.stack((100 * part, a + 0 * part, b + 0 * part), axis=-1))
    return np.rint(rgb * 255).astype(np.uint8)


def spoiled(rgb: np.ndarray, how: str) -> np.ndarray:
    draw = np.random.default_rng(8)
    if how == "noise of the scanner":
        return np.clip(rgb + draw.normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)
    if how == "channels lie apart":
        large = transform.resize(rgb, (1536, 1536), order=1, preserve_range=True)
        return np.stack((np.roll(large[..., 0], 1, 0), large[..., 1], np.roll(large[..., 2], -1, 1)), axis=-1)
    if how == "JPEG":
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "JPEG", quality=50)
        return np.asarray(Image.open(file))
    if how == "stain":
        y, x = np.mgrid[:384, :384] / 384
        spot = np.clip(1 - np.hypot(y - 0.7, x - 0.3) / 0.4, 0, 1)[..., None]
        return (rgb * (1 - 0.3 * spot * np.array([0.1, 0.35, 1.0]) * 0.5)).astype(np.uint8)
    return rgb


@pytest.mark.parametrize("how", ["as it is", "noise of the scanner", "channels lie apart", "JPEG", "stain"])
@pytest.mark.parametrize("name", LAB_TONES)
def test_scanned_toned_prints_are_monochrome(name: str, how: str) -> None:
    assert measure_tone(planes(spoiled(lab_print(name), how))).kind is ToneKind.TONED


def test_the_measured_tone_is_the_tone_of_the_print() -> None:
    rgb = lab_print("albumen")
    tone = measure_tone(planes(rgb))
    _, cb, cr = np.moveaxis(color.rgb2ycbcr(rgb), -1, 0)  # 16 to 240 around 128
    assert (tone.cb, tone.cr) == pytest.approx(
        (np.median(cb - 128) / 224, np.median(cr - 128) / 224), abs=0.01
    )


def test_a_halftone_in_brown_ink_on_yellowed_paper_is_monochrome() -> None:
    gray = transform.resize(data.camera(), (768, 768))
    y, x = np.mgrid[:768, :768]
    inked = gray < 0.5 + 0.5 * np.sin(y * 1.2) * np.sin(x * 1.2)
    rgb = np.where(inked[..., None], np.array([70, 50, 40]), np.array([232, 216, 178]))
    assert measure_tone(planes(rgb)).kind is ToneKind.TONED


@pytest.mark.parametrize("quality", [None, 85])
@pytest.mark.parametrize("yellow", [0.5, 1.0])
def test_an_engraving_on_stained_yellow_paper_is_monochrome(yellow: float, quality: int | None) -> None:
    """Regression: it was refused as color, with residuals of 3 in 255."""
    y, x = np.mgrid[:900, :900]
    gray = transform.resize(data.camera(), (900, 900))
    lines = np.clip((gray - (0.5 + 0.5 * np.sin(1.1 * y + 3 * gray))) * 4 + 0.5, 0, 1)[..., None]
    paper = (1 - yellow * np.array([0.05, 0.14, 0.38])) * np.ones((900, 900, 1))
    paper *= 1 - 0.12 * (y / 900)[..., None] * np.array([0.15, 0.35, 1.0])
    draw = np.random.default_rng(4)
    for top, left in draw.uniform(0, 900, (20, 2)):
        spot = np.exp(-((y - top) ** 2 + (x - left) ** 2) / (2 * 12.0**2))[..., None]
        paper *= 1 - 0.3 * spot * np.array([0.25, 0.5, 0.8])
    ink = np.array([45, 35, 30]) / 255
    rgb = np.rint(255 * (ink + (paper - ink) * lines)).astype(np.uint8)
    if quality:
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "JPEG", quality=quality)
        rgb = np.asarray(Image.open(file))
    assert measure_tone(planes(rgb)).kind is ToneKind.TONED


def test_a_print_tinted_by_hand_is_color() -> None:
    """Cheeks, a dress and a sky, in the a* and b* of watercolors over a print."""
    rgb = data.astronaut()
    lightness = color.rgb2lab(rgb)[..., 0]
    a, b = np.full_like(lightness, 3), np.full_like(lightness, 12)
    a[60:200, 150:280], b[60:200, 150:280] = 18, 14
    a[300:, 60:420], b[300:, 60:420] = 24, 20
    a[:60], b[:60] = -4, -14
    tinted = np.rint(color.lab2rgb(np.stack((lightness, a, b), axis=-1)) * 255).astype(np.uint8)
    assert measure_tone(planes(tinted)).kind is ToneKind.COLOR


def test_a_gray_street_with_a_lit_traffic_light_is_color() -> None:
    rgb = np.stack([data.camera()] * 3, axis=-1)
    y, x = np.mgrid[:512, :512]
    for place, light in ((100, RED), (200, (255, 190, 0)), (300, (0, 220, 90))):
        rgb[np.hypot(y - place, x - 400) < 45] = light
    assert measure_tone(planes(rgb)).kind is ToneKind.COLOR


@pytest.mark.parametrize(("rows", "refused"), [(4, False), (60, True)])
def test_a_color_target_beside_a_print_is_color_if_it_is_large(rows: int, *, refused: bool) -> None:
    rgb = np.stack([data.camera()] * 3, axis=-1)
    patches = [RED, (255, 220, 0), (0, 160, 60), (0, 150, 220), BLUE, (200, 60, 160), WHITE, BLACK]
    for place, patch in enumerate(patches):
        rgb[:rows, 64 * place : 64 * place + 64] = patch
    assert (measure_tone(planes(rgb)).kind is ToneKind.COLOR) is refused


def test_a_single_pixel_has_a_tone() -> None:
    assert measure_tone(np.full((3, 1, 1), 0.5, np.float32)).kind is ToneKind.GRAY
