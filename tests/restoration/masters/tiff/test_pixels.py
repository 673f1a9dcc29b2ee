"""Samples of TIFF pictures: extra channels, planes, tiles and YCbCr.

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
    BYTE_ORDERS,
    LONG,
    RATIONAL,
    SHORT,
    Page,
    stored_samples,
)

from restoration import identify
from restoration.masters.strips import Master

Gray = np.ndarray


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "zstd", "packbits"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (64, 48)])
@pytest.mark.parametrize("kind", ["unspecified", "assocalpha", "unassalpha"])
@pytest.mark.parametrize("colors", [1, 3])
def test_extra_channels_are_what_the_header_says(
    tiff: Callable[..., Path],
    gray16: Gray,
    compression: str | None,
    planar: str,
    tile: tuple[int, int] | None,
    kind: str,
    colors: int,
) -> None:
    channels = [gray16, gray16 // 2, gray16 // 3, gray16[::-1]][-1 - colors :]
    samples = np.stack(channels, axis=-1)
    path = tiff(
        samples if planar == "contig" else np.ascontiguousarray(np.moveaxis(samples, -1, 0)),
        photometric="rgb" if colors == 3 else "minisblack",
        planarconfig=planar,
        extrasamples=[kind],
        compression=compression,
        tile=tile,
    )
    facts = identify(path)
    kept = samples if kind != "unspecified" else samples[..., :-1]
    assert np.array_equal(stored_samples(path), kept)
    assert (facts.bands, facts.alpha) == (kept.shape[-1], kind != "unspecified")
    assert facts.alpha_associated == (kind == "assocalpha")
    assert any("unspecified meaning dropped" in note for note in facts.notes) == (kind == "unspecified")


def test_an_alpha_among_other_channels_is_found(tiff: Callable[..., Path], gray8: Gray) -> None:
    samples = np.stack([gray8, gray8 // 2, gray8 // 3, gray8 // 4, gray8[::-1]], axis=-1)
    path = tiff(samples, photometric="rgb", extrasamples=["unspecified", "unassalpha"])
    assert np.array_equal(stored_samples(path), samples[..., [0, 1, 2, 4]])


def test_a_fourth_channel_of_no_kind_is_not_alpha(written: Callable[..., Path], gray8: Gray) -> None:
    samples = np.dstack([gray8] * 4)
    assert not identify(written(Page(samples))).alpha


@pytest.mark.parametrize(("order", "big"), BYTE_ORDERS)
@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (1, 2), (2, 2), (4, 2), (4, 4)])
@pytest.mark.parametrize("compression", [1, 5, 8])
def test_ycbcr_without_jpeg_keeps_its_y(
    written: Callable[..., Path],
    gray8: Gray,
    subsampling: tuple[int, int],
    compression: int,
    order: str,
    big: bool,
) -> None:
    across, down = subsampling
    y = gray8
    height, width = y.shape
    whole = np.pad(y, ((0, -height % down), (0, -width % across)), mode="edge")
    cells = whole.reshape(whole.shape[0] // down, down, whole.shape[1] // across, across).transpose(
        0, 2, 1, 3
    )
    cb, cr = (np.full(cells.shape[:2], value, np.uint8) for value in (117, 141))
    units = np.concatenate((cells.reshape(*cells.shape[:2], -1), cb[..., None], cr[..., None]), axis=-1)
    rows = 16 // down
    strips = [np.ascontiguousarray(units[top : top + rows]).tobytes() for top in range(0, len(units), rows)]
    pack = {1: bytes, 5: imagecodecs.lzw_encode, 8: zlib.compress}[compression]
    page = Page(
        np.dstack([y] * 3),
        {259: (SHORT, compression), 262: (SHORT, 6), 278: (LONG, 16), 530: (SHORT, list(subsampling))},
        strips=[bytes(pack(strip)) for strip in strips],
    )
    path = written(page, order=order, big=big)

    samples = stored_samples(path)
    assert np.array_equal(samples[..., 0], y)
    assert np.unique(samples[..., 1:].reshape(-1, 2), axis=0).tolist() == [[117, 141]]
    strips_of = Master(path, identify(path), path.parent).strips()
    assert np.array_equal(np.concatenate([strip.gray for strip in strips_of]), y)
    assert identify(path).mode == "ycbcr"


@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_tiles_in_separate_planes_are_read(
    tiff: Callable[..., Path], gray16: Gray, photometric: str, planar: str
) -> None:
    samples = np.stack([gray16, gray16 // 2, gray16 // 3], axis=-1)
    facts = {"extrasamples": ["unspecified"] * 2} if photometric == "minisblack" else {}
    path = tiff(
        samples if planar == "contig" else np.ascontiguousarray(np.moveaxis(samples, -1, 0)),
        photometric=photometric,
        planarconfig=planar,
        tile=(64, 64),
        **facts,
    )
    assert np.array_equal(stored_samples(path), samples if photometric == "rgb" else samples[..., :1])


@pytest.mark.parametrize("true", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("told", [(1, 1), (2, 1), (2, 2)])
def test_the_subsampling_of_jpeg_data_takes_precedence(
    tiff: Callable[..., Path], gray8: Gray, true: tuple[int, int], told: tuple[int, int]
) -> None:
    rgb = np.stack([gray8] * 3, axis=-1)
    path = tiff(rgb, photometric="ycbcr", compression="jpeg", subsampling=true)
    before = stored_samples(path)
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.tags[530].valueoffset
    content = bytearray(path.read_bytes())
    struct.pack_into("<HH", content, place, *told)
    path.write_bytes(content)
    assert np.array_equal(stored_samples(path), before)
    assert bool(identify(path).notes) == (true != told)


@pytest.mark.parametrize(("white", "told"), [(255, False), (235, True)])
def test_ycbcr_of_a_smaller_range_is_noted(
    written: Callable[..., Path], gray8: Gray, white: int, told: bool
) -> None:
    black = 0 if white == 255 else 16
    reference = [(black, 1), (white, 1), (128, 1), (white, 1), (128, 1), (white, 1)]
    tags = {262: (SHORT, 6), 530: (SHORT, [1, 1]), 532: (RATIONAL, reference)}
    samples = np.dstack([gray8, np.full_like(gray8, 128), np.full_like(gray8, 128)])
    path = written(Page(samples, tags))
    assert np.array_equal(stored_samples(path), samples)
    assert any("ReferenceBlackWhite" in note for note in identify(path).notes) == told
