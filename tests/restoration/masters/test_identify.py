import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from restoration import (
    EmptyFile,
    ImageTooLarge,
    Limits,
    MissingFile,
    NotAnImage,
    TruncatedImage,
    UnreadableFile,
    UnsafeFile,
    UnsupportedImage,
)
from restoration.derivatives.file_metadata import srgb_profile
from restoration.masters.identify import identify
from restoration.masters.libvips import first_line

Gray = np.ndarray
Maker = Callable[..., Path]


def test_the_facts_of_a_16_bit_tiff_are_read(tiff: Maker, gray16: Gray) -> None:
    path = tiff(gray16, resolution=(600, 300), resolutionunit="INCH", iccprofile=srgb_profile())
    facts = identify(path)
    assert (facts.format, facts.width, facts.height, facts.bands) == ("tiff", 251, 337, 1)
    assert (facts.bit_depth, facts.depth, facts.mode, facts.alpha) == (16, 16, "gray", False)
    assert (facts.dpi, facts.orientation, facts.pages) == ((600, 300), 1, 1)
    assert facts.icc_sha256 is not None
    assert facts.file_bytes == path.stat().st_size


def test_resolution_in_centimeters_is_converted_to_inches(tiff: Maker, gray8: Gray) -> None:
    assert identify(tiff(gray8, resolution=(100, 100), resolutionunit="CENTIMETER")).dpi == (254, 254)


def test_a_bigtiff_of_either_byte_order_is_recognized(tiff: Maker, gray8: Gray) -> None:
    for order in "<>":
        assert identify(tiff(gray8, bigtiff=True, byteorder=order)).format == "tiff"


@pytest.mark.parametrize(
    ("name", "mode", "expected"),
    [
        ("a.png", "L", ("png", 1, 8, "gray", False)),
        ("a.png", "1", ("png", 1, 1, "gray", False)),
        ("a.png", "LA", ("png", 2, 8, "gray", True)),
        ("a.png", "P", ("png", 3, 8, "palette", False)),
        ("a.png", "RGBA", ("png", 4, 8, "rgb", True)),
        ("a.jpg", "L", ("jpeg", 1, 8, "gray", False)),
        ("a.jpg", "RGB", ("jpeg", 3, 8, "rgb", False)),
        ("a.webp", "RGB", ("webp", 3, 8, "rgb", False)),
        ("a.gif", "P", ("gif", 3, 8, "palette", False)),
        ("a.tif", "1", ("tiff", 1, 1, "gray", False)),
        ("a.tif", "P", ("tiff", 3, 8, "palette", False)),
    ],
)
def test_the_facts_of_each_format_are_read(
    picture: Maker, gray8: Gray, name: str, mode: str, expected: tuple
) -> None:
    facts = identify(picture(gray8, name, mode))
    assert (facts.format, facts.bands, facts.bit_depth, facts.mode, facts.alpha) == expected


def test_the_content_decides_not_the_file_extension(picture: Maker, gray8: Gray, tmp_path: Path) -> None:
    picture(gray8, "a.png").rename(tmp_path / "a.tif")
    assert identify(tmp_path / "a.tif").format == "png"


def test_orientation_swaps_the_upright_size(picture: Maker, gray8: Gray) -> None:
    exif = Image.Exif()
    exif[274] = 6
    facts = identify(picture(gray8, "a.jpg", exif=exif))
    assert (facts.orientation, facts.upright_size) == (6, (337, 251))


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        identify(tmp_path / "none.tif")


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    (tmp_path / "a.tif").touch()
    with pytest.raises(EmptyFile):
        identify(tmp_path / "a.tif")


def test_text_is_not_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("a letter, not a picture", encoding="utf-8")
    with pytest.raises(NotAnImage):
        identify(tmp_path / "a.tif")


def test_a_link_is_not_followed(picture: Maker, gray8: Gray, tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(picture(gray8, "a.png"))
    with pytest.raises(UnsafeFile):
        identify(tmp_path / "link.png")


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    with pytest.raises(UnsafeFile):
        identify(tmp_path / "pipe.tif")


def test_a_device_and_a_folder_are_unsafe(tmp_path: Path) -> None:
    for path in (Path("/dev/zero"), tmp_path):
        with pytest.raises(UnsafeFile):
            identify(path)


@contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Give up root's permission to read everything for a while."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_a_file_without_permission_is_unreadable(picture: Maker, gray8: Gray) -> None:
    path = picture(gray8, "a.png")
    path.chmod(0)
    with an_ordinary_user(), pytest.raises(UnreadableFile):
        identify(path)


def test_a_name_too_long_for_the_file_system_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        identify(tmp_path / ("a" * 300))


def test_a_header_beyond_the_limits_is_refused(png_that_claims: Callable[[int, int], Path]) -> None:
    with pytest.raises(ImageTooLarge, match="2,000,000,000 pixels"):
        identify(png_that_claims(60_000, 60_000))


def test_decoded_bytes_are_limited_too(tiff: Maker, gray16: Gray) -> None:
    path = tiff(gray16)
    assert identify(path, Limits(max_bytes=gray16.nbytes))
    with pytest.raises(ImageTooLarge):
        identify(path, Limits(max_bytes=gray16.nbytes - 1))


def test_an_impossible_compression_ratio_is_refused(
    png_that_claims: Callable[[int, int], Path],
) -> None:
    with pytest.raises(TruncatedImage, match="less than any compression"):
        identify(png_that_claims(18_000, 18_000))


def test_a_tiff_that_ends_before_its_pixels_is_truncated(tiff: Maker, gray8: Gray) -> None:
    path = tiff(gray8)
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(TruncatedImage):
        identify(path)


def test_several_pictures_in_one_file_are_refused(tmp_path: Path, gray8: Gray) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for _ in range(2):
            tiff.write(gray8)
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        identify(tmp_path / "a.tif")


@pytest.mark.parametrize("flag", [0, 1])
def test_a_preview_beside_the_picture_is_accepted(tmp_path: Path, gray8: Gray, flag: int) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(gray8, metadata=None)
        tiff.write(np.ascontiguousarray(gray8[::4, ::4]), subfiletype=flag, metadata=None)
    assert identify(tmp_path / "a.tif").width == 251


@pytest.mark.parametrize(
    ("samples", "facts"),
    [
        (np.zeros((9, 9), np.float32), {}),
        (np.zeros((9, 9), np.int16), {}),
        (np.zeros((9, 9), np.uint32), {}),
        (np.zeros((9, 9), np.complex64), {}),
        (np.zeros((9, 9, 4), np.uint8), {"photometric": "separated"}),
        (np.zeros((9, 9, 3), np.uint8), {"photometric": "cielab"}),
    ],
)
def test_other_kinds_of_samples_are_refused_with_a_remedy(tiff: Maker, samples: Gray, facts: dict) -> None:
    with pytest.raises(UnsupportedImage, match="export it as"):
        identify(tiff(samples, **facts))


def test_a_cmyk_jpeg_is_refused(picture: Maker, gray8: Gray) -> None:
    with pytest.raises(UnsupportedImage, match="cmyk"):
        identify(picture(gray8, "a.jpg", "CMYK"))


def test_an_unsupported_format_is_named(picture: Maker, gray8: Gray) -> None:
    with pytest.raises(UnsupportedImage, match="BMP"):
        identify(picture(gray8, "a.bmp"))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.gif", "a.webp"])
def test_a_header_cut_short_anywhere_is_refused(
    picture: Maker, gray8: Gray, tmp_path: Path, name: str
) -> None:
    whole = picture(gray8, name).read_bytes()
    for length in (4, 8, 9, 13, 20, 32):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises((TruncatedImage, NotAnImage, UnsupportedImage)):
            identify(tmp_path / "cut")


def test_identifying_reads_no_pixels(picture: Maker, gray8: Gray, tmp_path: Path) -> None:
    whole = picture(gray8, "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    assert identify(tmp_path / "cut.png").width == 251


def test_a_name_that_is_not_utf_8_can_be_read(picture: Maker, gray8: Gray, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xc7\xd1\xb1\xdb.png")
    shutil.move(picture(gray8, "a.png"), odd)
    assert identify(odd).width == 251


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypheic", "HEIF"),
        (b"\0\0\0\x18ftypmif1", "HEIF"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"\0\0\0\x18ftypcrx ", "camera raw file .Canon CR3."),
        (b"FUJIFILMCCD-RAW 0201", "camera raw file .Fujifilm RAF."),
        (b"IIRO\x08\0\0\0", "camera raw file .Olympus ORF."),
        (b"IIU\0\x18\0\0\0", "camera raw file .Panasonic RW2."),
        (b"8BPS\0\1", "Photoshop"),
        (b"%PDF-1.4", "PDF"),
        (b"AT&TFORM", "DjVu"),
        (b"P7\nWIDTH 4\n", "PAM"),
        (b"\xff\x0a", "JPEG XL"),
    ],
)
def test_unsupported_formats_are_named_with_a_remedy(tmp_path: Path, head: bytes, name: str) -> None:
    (tmp_path / "a.tif").write_bytes(head.ljust(64, b"\0"))
    with pytest.raises(UnsupportedImage, match=name) as caught:
        identify(tmp_path / "a.tif")
    assert caught.value.remedy.startswith(("convert it", "develop it"))


def test_a_video_is_not_an_image(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"\0\0\0\x18ftypisom" + bytes(40))
    with pytest.raises(NotAnImage):
        identify(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("unable to fetch from region", "the decoder gives no details"),
        ("unable to call pngload_source\n  vipspng: libpng read error", "the decoder gives no details"),
        (
            "unable to call jpegload_source\n  VipsJpeg: premature end of JPEG image",
            "premature end of JPEG image",
        ),
        ("tiff2vips: LZWDecode: Not enough data at scanline 3", "Not enough data at scanline 3"),
        ("VipsJpeg: Corrupt JPEG data: found marker 0xd4", "Corrupt JPEG data: found marker 0xd4"),
        ("", "the decoder gives no details"),
    ],
)
def test_library_messages_lose_their_function_names(said: str, told: str) -> None:
    assert first_line(ValueError(said)) == told
