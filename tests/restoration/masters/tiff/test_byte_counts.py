"""Byte counts of TIFF strips and tiles that are missing or wrong.

The expected samples are the arrays that the files were made of.
"""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from tiff_files import (
    ASCII,
    LONG,
    SHORT,
    Page,
    Tag,
    compressed_strips,
    pixels_last,
    stored_samples,
    tiff_bytes,
)

from restoration import MasterError, TruncatedImage, UnsupportedImage, identify

Gray = np.ndarray


def test_missing_byte_counts_of_strips_are_computed(written: Callable[..., Path], gray8: Gray) -> None:
    strips = [zlib.compress(gray8[top : top + 100].tobytes()) for top in range(0, 337, 100)]
    path = written(Page(gray8, {259: (SHORT, 8), 278: (LONG, 100), 279: None}, strips=strips))
    assert np.array_equal(stored_samples(path)[..., 0], gray8)


@pytest.mark.parametrize("compression", [1, 8])
def test_missing_pixels_without_byte_counts_are_detected(
    written: Callable[..., Path], gray8: Gray, compression: int
) -> None:
    data = gray8[:-1].tobytes()
    strips = [data if compression == 1 else zlib.compress(data)]
    whole = tiff_bytes(Page(gray8, {259: (SHORT, compression), 279: None}, strips=strips))
    path = written(Page(gray8))
    path.write_bytes(pixels_last(whole, strips[0]))  # so that nothing is behind the pixels
    with pytest.raises(TruncatedImage):
        stored_samples(path)


def test_a_hole_among_compressed_strips_is_refused(written: Callable[..., Path], gray8: Gray) -> None:
    strips = [imagecodecs.packbits_encode(gray8[top : top + 100].tobytes()) for top in range(0, 337, 100)]
    sizes = [len(strip) for strip in strips]
    tags = {259: (SHORT, 32773), 278: (LONG, 100), 279: (LONG, [*sizes[:2], 0, sizes[3]])}
    with pytest.raises(TruncatedImage, match="absent"):
        identify(written(Page(gray8, tags, strips=strips)))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("more", [1, 7, 500, 10_000_000])
@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_byte_counts_of_strips_may_pass_the_end_of_file(
    written: Callable[..., Path], gray8: Gray, compression: int, more: int, order: str
) -> None:
    (data,) = compressed_strips(gray8, compression, 337)
    page = Page(gray8, {259: (SHORT, compression), 279: (LONG, len(data) + more)}, strips=[data])
    whole = tiff_bytes(page, order=order)
    path = written(page)
    path.write_bytes(pixels_last(whole, data, order))
    assert np.array_equal(stored_samples(path)[..., 0], gray8)
    assert "passes the end of the file" in identify(path).notes[0]


@pytest.mark.parametrize("lost", [3, 20, 100, 2000, 20_000])
@pytest.mark.parametrize("compression", [5, 8, 32773])
def test_compressed_data_that_are_cut_off_are_refused(
    written: Callable[..., Path], gray8: Gray, compression: int, lost: int
) -> None:
    (data,) = compressed_strips(gray8, compression, 337)
    page = Page(gray8, {259: (SHORT, compression)}, strips=[data])
    whole, path = tiff_bytes(page), written(page)
    lost = lost + 4 if compression == 8 else lost  # beyond the checksum
    path.write_bytes(pixels_last(whole, data[:-lost], "<"))
    with pytest.raises(MasterError):
        stored_samples(path)


@pytest.mark.parametrize("more", [1, 7, 500, 10_000_000])
@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "packbits", "jpeg"])
def test_byte_counts_of_tiles_may_pass_the_end_of_file(
    tiff: Callable[..., Path], gray8: Gray, compression: str | None, more: int
) -> None:
    path = tiff(gray8, tile=(64, 64), compression=compression, byteorder=">")
    before = stored_samples(path)
    assert compression == "jpeg" or np.array_equal(before[..., 0], gray8)
    set_tag(path, 325, lambda counts: [*counts[:-1], counts[-1] + more])
    assert np.array_equal(stored_samples(path), before)


def set_tag(path: Path, tag: int, change: Callable[[list[int]], list[int]]) -> None:
    """Change the values of a tag of the first page."""
    with tifffile.TiffFile(path) as file:
        one = file.pages.first.tags[tag]
        values = list(one.value) if isinstance(one.value, tuple) else [one.value]
        code = file.byteorder + {3: "H", 4: "I"}[int(one.dtype)] * len(values)
        place = one.valueoffset
    content = bytearray(path.read_bytes())
    most = 0xFFFF if "H" in code else 0xFFFFFFFF
    struct.pack_into(code, content, place, *(min(value, most) for value in change(values)))
    path.write_bytes(content)


FEWER: dict[str, Callable[[list[int]], list[int]]] = {
    "one": lambda counts: [count - 1 for count in counts],
    "most": lambda counts: [1000] * len(counts),
    "of the last": lambda counts: [*counts[:-1], counts[-1] - 2],
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", FEWER)
@pytest.mark.parametrize("form", [{"rowsperstrip": 337}, {"rowsperstrip": 100}, {"tile": (64, 64)}])
def test_too_small_byte_counts_are_computed(
    tiff: Callable[..., Path], gray16: Gray, form: dict[str, object], name: str, order: str
) -> None:
    path = tiff(gray16, byteorder=order, **form)
    set_tag(path, 325 if "tile" in form else 279, FEWER[name])
    assert np.array_equal(stored_samples(path)[..., 0], gray16)
    assert "too small for its pixels" in identify(path).notes[0]


def test_too_small_byte_counts_before_other_data_are_refused(
    written: Callable[..., Path], gray8: Gray
) -> None:
    """What follows the pixels that are there is a text."""
    data = gray8.tobytes()[:-60]
    path = written(Page(gray8, {270: (ASCII, b"a" * 200 + b"\0")}, strips=[data]))
    with pytest.raises(TruncatedImage, match="fewer bytes"):
        identify(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "tags", [{258: (SHORT, 1)}, {258: (SHORT, 4)}, {258: None}, {258: (SHORT, 8)}, {257: (LONG, 150)}]
)
def test_far_too_large_byte_counts_are_noted_or_refused(
    written: Callable[..., Path], gray16: Gray, gray8: Gray, tags: dict[int, Tag | None], order: str
) -> None:
    path = written(Page(gray16 if tags.get(258) == (SHORT, 8) else gray8, tags), order=order)
    if 257 in tags:
        assert "far larger" in identify(path).notes[0]
        return
    with pytest.raises(UnsupportedImage, match=r"contradicts its pixel data.*convert it"):
        identify(path)
