"""Further pages of a TIFF: reduced copies, masks and other pictures."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tiff_files import (
    LONG,
    SHORT,
    Page,
    compressed_strips,
    stored_samples,
)

from restoration import UnsupportedImage, identify
from restoration.arrays import resample
from restoration.masters.facts import ScanFacts
from restoration.masters.strips import Master

Gray = np.ndarray


def page_of(samples: Gray, **facts: object) -> Page:
    return Page(samples, {254: (LONG, facts["kind"])} if "kind" in facts else {})


def reduced(gray: Gray, height: int, width: int) -> Gray:
    planes = resample.reduce(gray.astype(np.float32)[None], height, width)
    return np.rint(planes[0]).astype(gray.dtype)


def overview(path: Path) -> ScanFacts:
    """Return the facts, with the notes of the pixels."""
    facts = identify(path)
    notes: list[str] = []
    Master(path, facts, path.parent).overview(256, notes=notes)
    return replace(facts, notes=(*facts.notes, *notes))


@pytest.mark.parametrize("order", [0, 1])
def test_a_flagged_page_is_not_the_picture(written: Callable[..., Path], gray8: Gray, order: int) -> None:
    pages = [page_of(gray8, kind=0), page_of(reduced(gray8, 90, 67), kind=1)]
    path = written(*pages[:: 1 - 2 * order])
    assert np.array_equal(stored_samples(path)[..., 0], gray8)
    assert identify(path).page == order
    assert overview(path)


def another(height: int, width: int) -> Gray:
    """Another picture."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    return (128 + 90 * np.sin(9 * x + 4) * np.cos(11 * y)).astype(np.uint8)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("size", [(337, 251), (168, 125), (42, 31), (120, 160), (337, 100)])
def test_a_flagged_page_with_other_content_is_a_picture(
    written: Callable[..., Path], gray8: Gray, size: tuple[int, int], first: bool, order: str
) -> None:
    pages = [page_of(gray8, kind=0), page_of(another(*size), kind=1)]
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        overview(written(*pages[:: -1 if first else 1], order=order))


def test_a_flagged_page_of_the_same_size_is_a_picture(written: Callable[..., Path], gray8: Gray) -> None:
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        identify(written(page_of(gray8, kind=0), page_of(gray8, kind=1)))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("size", [(168, 125), (84, 63), (42, 31), (20, 15)])
@pytest.mark.parametrize("tone", [1.0, 0.6, 1.6])
def test_a_flagged_copy_may_have_another_tone(
    written: Callable[..., Path], gray8: Gray, size: tuple[int, int], first: bool, tone: float
) -> None:
    small = np.rint(255 * (reduced(gray8, *size) / 255) ** tone).astype(np.uint8)
    pages = [page_of(gray8, kind=0), page_of(small, kind=1)]
    assert overview(written(*pages[:: -1 if first else 1])).width == 251


def test_a_flagged_copy_may_have_borders(written: Callable[..., Path], gray8: Gray) -> None:
    framed = np.zeros((120, 160), np.uint8)
    framed[:, 35:124] = reduced(gray8, 120, 89)
    assert overview(written(page_of(gray8, kind=0), page_of(framed, kind=1)))


@pytest.mark.parametrize("turns", [1, 3])
def test_a_flagged_copy_may_be_turned(written: Callable[..., Path], gray8: Gray, turns: int) -> None:
    small = np.ascontiguousarray(np.rot90(reduced(gray8, 84, 63), turns))
    assert overview(written(page_of(gray8, kind=0), page_of(small, kind=1)))


def test_a_mask_may_show_anything(written: Callable[..., Path], gray8: Gray) -> None:
    assert overview(written(page_of(gray8, kind=0), page_of(another(337, 251), kind=4)))


@pytest.mark.parametrize("compression", ["adobe_deflate", "zstd"])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_the_levels_of_a_pyramid_are_copies(
    tmp_path: Path, gray16: Gray, photometric: str, compression: str
) -> None:
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as file:
        for times in (1, 2, 4, 8):
            level = reduced(gray16, 337 // times, 251 // times)
            samples = level if photometric == "minisblack" else np.dstack([level] * 3)
            facts = {"photometric": photometric, "compression": compression, "tile": (64, 64)}
            file.write(samples, subfiletype=int(times > 1), metadata=None, **facts)
    assert overview(path).notes == ()


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("compression", [1, 8])
def test_a_copy_that_is_cut_off_is_ignored(
    written: Callable[..., Path], gray8: Gray, compression: int, kind: int
) -> None:
    small = reduced(gray8, 84, 63)
    (data,) = compressed_strips(small, compression, 84)
    tags = {254: (LONG, kind), 259: (SHORT, compression)}
    tags |= {273: (LONG, 1 << 30)} if compression == 1 else {}
    path = written(page_of(gray8, kind=0), Page(small, tags, strips=[data[: len(data) // 2]]))
    assert np.array_equal(stored_samples(path)[..., 0], gray8)
    assert "cannot be read" in overview(path).notes[-1]


def test_a_large_page_that_is_cut_off_is_a_second_picture(written: Callable[..., Path], gray8: Gray) -> None:
    large = reduced(gray8, 300, 223)
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        overview(written(page_of(gray8), Page(large, {273: (LONG, 1 << 30)})))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("size", [(168, 125), (84, 63), (42, 31), (20, 15)])
def test_a_page_with_the_same_content_is_a_reduced_copy(
    written: Callable[..., Path], gray8: Gray, size: tuple[int, int], first: bool
) -> None:
    pages = [page_of(gray8), page_of(reduced(gray8, *size))]
    path = written(*pages[:: -1 if first else 1])
    assert overview(path).width == 251


@pytest.mark.parametrize(
    "change",
    [
        lambda small: 255 - small,
        lambda small: small[::-1],
        lambda small: np.full_like(small, 230),
        lambda small: np.roll(small, 30, axis=1),
        lambda small: (small // 3).astype(np.uint8),
        lambda small: np.clip(small + np.random.default_rng(1).normal(0, 20, small.shape), 0, 255).astype(
            np.uint8
        ),
    ],
)
def test_a_smaller_page_with_other_content_is_a_picture(
    written: Callable[..., Path], gray8: Gray, change: Callable[[Gray], Gray]
) -> None:
    path = written(page_of(gray8), page_of(np.ascontiguousarray(change(reduced(gray8, 168, 125)))))
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        overview(path)


def plain_picture(grain: int) -> Gray:
    """Two plain areas with grain of their own."""
    plain = np.full((400, 600), 90.0)
    plain[100:300, 200:400] = 170
    return np.rint(plain + np.random.default_rng(grain).normal(0, 3, plain.shape)).astype(np.uint8)


def test_a_second_scan_of_the_same_print_is_a_second_picture(written: Callable[..., Path]) -> None:
    """It is as a copy would be but for its grain."""
    again = plain_picture(2)[::2, ::2]
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        overview(written(page_of(plain_picture(1)), page_of(np.ascontiguousarray(again))))
    assert overview(written(page_of(plain_picture(1)), page_of(reduced(plain_picture(1), 200, 300))))


@pytest.mark.parametrize("quality", [None, 75, 30])
@pytest.mark.parametrize("way", [Image.NEAREST, Image.BOX, Image.BICUBIC, Image.LANCZOS])
@pytest.mark.parametrize("times", [2, 4, 8])
def test_copies_by_any_filter_and_quality_are_copies(
    written: Callable[..., Path], gray8: Gray, times: int, way: Image.Resampling, quality: int | None
) -> None:
    small = Image.fromarray(gray8).resize((251 // times, 337 // times), way)
    if quality:
        packed = io.BytesIO()
        small.save(packed, "JPEG", quality=quality)
        small = Image.open(packed)
    assert overview(written(page_of(gray8), page_of(np.asarray(small))))


def test_a_page_of_the_same_size_is_a_second_picture(written: Callable[..., Path], gray8: Gray) -> None:
    with pytest.raises(UnsupportedImage, match="2 pictures"):
        identify(written(page_of(gray8), page_of(gray8)))


def test_a_file_with_only_a_preview_is_refused(written: Callable[..., Path], gray8: Gray) -> None:
    with pytest.raises(UnsupportedImage, match="only a preview"):
        identify(written(page_of(gray8, kind=1)))


def test_tifffile_finds_the_same_picture(written: Callable[..., Path], gray8: Gray) -> None:
    path = written(
        page_of(np.zeros((90, 130), np.uint8), kind=1), replace(page_of(gray8, kind=0), unsorted=True)
    )
    with tifffile.TiffFile(path) as tiff:
        assert np.array_equal(tiff.pages[identify(path).page].asarray(), stored_samples(path)[..., 0])


@pytest.mark.parametrize("kind", [0, 1])
def test_a_page_with_a_larger_subifd_is_a_preview(tmp_path: Path, gray8: Gray, kind: int) -> None:
    path = tmp_path / "below.tif"
    small = np.ascontiguousarray(gray8[::4, ::4])
    with tifffile.TiffWriter(path) as file:
        file.write(small, subifds=1, subfiletype=kind, metadata=None)
        file.write(gray8, metadata=None)
    with pytest.raises(UnsupportedImage, match="preview"):
        identify(path)
    with tifffile.TiffWriter(path) as file:
        file.write(gray8, subifds=1, metadata=None)
        file.write(small, subfiletype=1, metadata=None)
    assert np.array_equal(stored_samples(path)[..., 0], gray8)
