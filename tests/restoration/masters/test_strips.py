from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from restoration import TruncatedImage, identify
from restoration.arrays import resample
from restoration.arrays.luma import luma
from restoration.masters import strips
from restoration.masters.strips import Master

Gray = np.ndarray
Maker = Callable[..., Path]


def scan(path: Path) -> Master:
    return Master(path, identify(path), path.parent)


def gray_of(path: Path) -> Gray:
    return np.concatenate([strip.gray for strip in scan(path).strips()])


def alpha_of(path: Path) -> Gray:
    return np.concatenate([strip.alpha for strip in scan(path).strips()])


@pytest.fixture(autouse=True)
def small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "STRIP_PIXELS", 5000)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"compression": "lzw", "predictor": True},
        {"compression": "adobe_deflate", "tile": (64, 64)},
        {"compression": "packbits"},
        {"byteorder": ">"},
        {"rowsperstrip": 7},
        {"bigtiff": True},
        {"compression": "zstd"},
        {"compression": "lzma"},
    ],
)
def test_16_bit_gray_comes_back_bit_for_bit(tiff: Maker, gray16: Gray, facts: dict) -> None:
    assert np.array_equal(gray_of(tiff(gray16, **facts)), gray16)


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_gray_with_white_as_zero_is_inverted(
    tiff: Maker, gray8: Gray, gray16: Gray, compression: str
) -> None:
    for gray in (gray8, gray16):
        path = tiff(gray, photometric="miniswhite", compression=compression)
        assert np.array_equal(gray_of(path), np.iinfo(gray.dtype).max - gray)


@pytest.mark.parametrize(("name", "mode"), [("a.png", "L"), ("a.png", "P"), ("a.png", "RGB"), ("a.gif", "L")])
def test_gray_in_any_encoding_is_the_same_gray(picture: Maker, gray8: Gray, name: str, mode: str) -> None:
    assert np.array_equal(gray_of(picture(gray8, name, mode)), gray8)


@pytest.mark.parametrize("facts", [{}, {"compression": "group4"}])
def test_1_bit_is_black_and_white(picture: Maker, gray8: Gray, facts: dict) -> None:
    path = picture(gray8, "a.tif", "1", **facts)
    with Image.open(path) as image:
        assert np.array_equal(gray_of(path), np.asarray(image.convert("L")))


@pytest.mark.parametrize("compression", [None, "zstd"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_48_bit_scan_is_read_as_its_luma(tiff: Maker, gray16: Gray, planar: str, compression: str) -> None:
    rgb = np.stack([gray16, gray16 // 2, gray16 // 3], axis=-1)
    stored = rgb if planar == "contig" else np.moveaxis(rgb, -1, 0)
    path = tiff(stored, photometric="rgb", planarconfig=planar, compression=compression)
    assert np.array_equal(gray_of(path), luma(rgb))


def test_alpha_is_read(picture: Maker, gray8: Gray) -> None:
    path = picture(np.dstack([gray8, 255 - gray8]), "a.png")
    assert np.array_equal(gray_of(path), gray8)
    assert np.array_equal(alpha_of(path), 255 - gray8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(picture: Maker, gray8: Gray, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = picture(np.dstack([gray8, 255 - gray8]), "a.png", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.fromarray(gray8)))
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image))[..., 0]
    assert np.array_equal(gray_of(path), upright)
    assert np.array_equal(alpha_of(path), 255 - upright)
    assert np.allclose(scan(path).overview(9999)[0] * 255, upright, atol=1e-3)


def test_an_overview_is_an_area_mean(tiff: Maker, gray16: Gray) -> None:
    overview = scan(tiff(gray16)).overview(100)
    assert overview.shape == (1, 100, 74)
    expected = resample.reduce(gray16[None] / np.float32(65535), 100, 74)
    assert np.allclose(overview, expected, atol=1e-5)


def test_a_picture_of_one_pixel_can_be_read(picture: Maker) -> None:
    path = picture(np.array([[77]], np.uint8), "a.png")
    assert gray_of(path).tolist() == [[77]]
    assert scan(path).overview(128).shape == (1, 1, 1)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp", "a.tif"])
def test_pixels_cut_off_are_an_error(
    picture: Maker, gray8: Gray, tmp_path: Path, name: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    facts = {"compression": "tiff_lzw"} if name == "a.tif" else {}
    whole = picture(gray8, name, **facts, **({} if name == "a.gif" else {"exif": exif})).read_bytes()
    for share in (0.4, 0.7, 0.95):
        (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(TruncatedImage):
            gray_of(tmp_path / "cut")


def test_damage_inside_compressed_data_is_an_error(tiff: Maker, gray16: Gray) -> None:
    path = tiff(gray16, compression="zstd", rowsperstrip=16)
    content = bytearray(path.read_bytes())
    content[2000:2600] = bytes(600)
    path.write_bytes(content)
    with pytest.raises(TruncatedImage):
        gray_of(path)
