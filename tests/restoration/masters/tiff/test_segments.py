"""The second decoder gives the stored samples of a TIFF, or an error if any are missing.

The expected samples are the arrays that the files were made of.
"""

import io
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from grainy_pictures import grain, row_bytes, second_decoder_samples
from PIL import Image

from restoration import TruncatedImage, identify
from restoration.masters import second_decoder
from restoration.masters.strips import Master

Array = np.ndarray
Maker = Callable[..., Path]
pytestmark = pytest.mark.usefixtures("small_portions")


COMPRESSIONS = (None, "lzw", "adobe_deflate", "packbits", "zstd", "lzma")


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("cut", [{"rowsperstrip": 7}, {"rowsperstrip": 83}, {"tile": (32, 48)}])
def test_each_kind_of_tiff_gives_the_stored_samples(
    tiff: Maker, compression: str, predictor: bool, bits: int, byteorder: str, planar: str, cut: dict
) -> None:
    if predictor and compression in {None, "packbits"}:
        return
    rgb = grain(83, 101, 3, bits=bits)
    gray = rgb[..., 1]
    facts = {"compression": compression, "predictor": predictor, "byteorder": byteorder, **cut}
    stored = np.moveaxis(rgb, -1, 0) if planar == "separate" else rgb

    assert np.array_equal(second_decoder_samples(tiff(gray, **facts))[..., 0], gray)
    path = tiff(stored, photometric="rgb", planarconfig=planar, **facts)
    assert np.array_equal(second_decoder_samples(path), rgb)


@pytest.mark.parametrize("compression", [None, "lzw", "adobe_deflate", "zstd"])
@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha", "unspecified"])
@pytest.mark.parametrize("bits", [8, 16])
def test_no_alpha_is_divided_out(tiff: Maker, compression: str, kind: str, bits: int) -> None:
    for bands, photometric in ((2, "minisblack"), (4, "rgb")):
        samples = grain(40, 60, bands, bits=bits)
        path = tiff(
            samples,
            photometric=photometric,
            planarconfig="contig",
            extrasamples=[kind],
            compression=compression,
        )
        assert np.array_equal(second_decoder_samples(path, bands=bands, alpha=True), samples)


def test_extra_channels_outside_the_facts_are_left_out(tiff: Maker) -> None:
    samples = grain(40, 60, 5)
    extras = ["unspecified", "unassalpha"]
    path = tiff(samples, photometric="rgb", planarconfig="contig", extrasamples=extras)
    facts = replace(_rgb_facts(path), bands=4, alpha=True)

    four = np.concatenate([s for _, s in second_decoder.read_rows(path, facts)])
    three = np.concatenate(
        [s for _, s in second_decoder.read_rows(path, replace(facts, bands=3, alpha=False))]
    )

    assert np.array_equal(four, samples[..., [0, 1, 2, 4]])
    assert np.array_equal(three, samples[..., :3])


def _rgb_facts(path: Path) -> Any:
    plain = path.with_name("plain.tif")
    tifffile.imwrite(plain, grain(40, 60, 3), photometric="rgb")
    return identify(plain)


@pytest.mark.parametrize("bits", [8, 16])
def test_gray_with_white_as_zero_is_inverted(tiff: Maker, bits: int) -> None:
    gray = grain(40, 60, bits=bits)
    assert np.array_equal(
        second_decoder_samples(tiff(gray, photometric="miniswhite"))[..., 0], 2**bits - 1 - gray
    )


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("inverted", [False, True])
def test_packed_samples_are_scaled_to_8_bits(tmp_path: Path, bits: int, inverted: bool) -> None:
    levels = np.random.default_rng(1).integers(0, 2**bits, (33, 77)).astype(np.uint8)
    path = tmp_path / "a.tif"
    rows = b"".join(row_bytes(row, bits) for row in levels)
    tags = {256: 77, 257: 33, 258: bits, 259: 1, 262: int(not inverted), 273: 8, 277: 1, 278: 33}
    _write_tiff(path, rows, tags)

    expected = levels * np.uint8(255 // (2**bits - 1))
    assert np.array_equal(second_decoder_samples(path)[..., 0], 255 - expected if inverted else expected)


def _write_tiff(path: Path, data: bytes, tags: dict[int, int | list[int]]) -> None:
    """Write data and a page; a tag of two shorts has the second one in its upper half."""
    tags = {279: len(data)} | tags
    after = 8 + len(data) + 2 + 12 * len(tags) + 4
    entries, tail = b"", b""
    for code, value in sorted(tags.items()):
        if isinstance(value, list):
            entries += struct.pack("<HHII", code, 4, len(value), after + len(tail))
            tail += struct.pack(f"<{len(value)}I", *value)
        else:
            kind = 4 if value > 65535 and code != 530 else 3
            entries += struct.pack("<HHII", code, kind, 2 if code == 530 else 1, value)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    path.write_bytes(head + data + struct.pack("<H", len(tags)) + entries + bytes(4) + tail)


@pytest.mark.parametrize("rows", [7, 33])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_byte_counts_of_zero_are_computed(tiff: Maker, rows: int, planar: str) -> None:
    rgb = grain(33, 77, 3)
    stored = np.moveaxis(rgb, -1, 0) if planar == "separate" else rgb
    path = tiff(stored, photometric="rgb", planarconfig=planar, rowsperstrip=rows)
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags[279]
    size = {3: 2, 4: 4}[tag.dtype] * tag.count
    data = bytearray(path.read_bytes())
    data[tag.valueoffset : tag.valueoffset + size] = bytes(size)
    facts = identify(path)
    path.write_bytes(data)

    assert np.array_equal(np.concatenate([s for _, s in second_decoder.read_rows(path, facts)]), rgb)


def test_strips_in_any_order_are_found(tmp_path: Path) -> None:
    gray = grain(30, 50)
    path = tmp_path / "a.tif"
    offsets = [8 + 600 * i for i in (2, 0, 1)]
    body = b"".join(gray[10 * i : 10 * i + 10].tobytes() + bytes(100) for i in (1, 2, 0))
    tags = {256: 50, 257: 30, 258: 8, 259: 1, 262: 1, 277: 1, 278: 10, 273: offsets, 279: [500] * 3}
    _write_tiff(path, body, tags)

    assert np.array_equal(second_decoder_samples(path)[..., 0], gray)


def test_many_strips_are_read_fast(tmp_path: Path) -> None:
    rows = 200_000
    gray = np.arange(rows * 2, dtype=np.uint32).astype(np.uint8).reshape(rows, 2)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, gray, rowsperstrip=1)
    facts = identify(path)
    began = time.process_time()

    found = np.concatenate([samples for _, samples in second_decoder.read_rows(path, facts)])

    assert time.process_time() - began < 5
    assert np.array_equal(found[..., 0], gray)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("order", [1, 2])
def test_fax_data_give_the_stored_samples(tmp_path: Path, compression: str, order: int) -> None:
    levels = np.zeros((60, 90), np.uint8)
    levels[10:40, 20:70] = 1
    levels[::7] ^= 1
    path = tmp_path / "a.tif"
    Image.fromarray(levels * 255).convert("1").save(path, compression=compression, tiffinfo={266: order})

    with tifffile.TiffFile(path) as file:
        assert int(file.pages[0].compression) in {2, 3, 4}
    assert np.array_equal(second_decoder_samples(path)[..., 0], levels * 255)


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2), (4, 1), (2, 1)])
@pytest.mark.parametrize("compression", [1, 5, 8])
def test_ycbcr_is_read_as_stored(tmp_path: Path, subsampling: tuple[int, int], compression: int) -> None:
    across, down = subsampling
    height, width = 30, 52
    y = grain(height, width)
    cb, cr = grain(-(-height // down), -(-width // across), 2).transpose(2, 0, 1)
    path = tmp_path / "a.tif"
    _write_ycbcr(path, (y, cb, cr), subsampling, compression)

    samples = second_decoder_samples(path, mode="ycbcr", bands=3, alpha=False)

    assert np.array_equal(samples[..., 0], y)
    whole = [np.kron(one, np.ones((down, across), np.uint8))[:height, :width] for one in (cb, cr)]
    assert np.array_equal(samples[..., 1:], np.stack(whole, axis=-1))


def _write_ycbcr(
    path: Path, planes: tuple[Array, ...], subsampling: tuple[int, int], compression: int
) -> None:
    """Write the data cell by cell, as section 21 of TIFF 6.0 lays them out."""
    y, cb, cr = planes
    across, down = subsampling
    height, width = y.shape
    padded = np.pad(y, ((0, -height % down), (0, -width % across)))
    data = bytearray()
    for row in range(cb.shape[0]):
        for column in range(cb.shape[1]):
            cell = padded[row * down : (row + 1) * down, column * across : (column + 1) * across]
            data += cell.tobytes() + bytes([cb[row, column], cr[row, column]])
    encode = {1: bytes, 5: _lzw, 8: zlib.compress}[compression]
    packed = encode(bytes(data))
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 6, 273: 8, 277: 3, 278: height}
    _write_tiff(path, packed, tags | {530: across | down << 16})


def _lzw(data: bytes) -> bytes:
    import imagecodecs  # noqa: PLC0415

    return bytes(imagecodecs.lzw_encode(data))


@pytest.mark.parametrize("photometric", ["minisblack", "rgb", "ycbcr"])
@pytest.mark.parametrize("cut", [{"rowsperstrip": 16}, {"tile": (32, 48)}])
def test_a_jpeg_in_a_tiff_is_read_with_its_tables(tmp_path: Path, photometric: str, cut: dict) -> None:
    rgb = grain(90, 101, 3)
    samples = rgb[..., 0] if photometric == "minisblack" else rgb
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, samples, photometric=photometric, compression="jpeg", **cut)
    expected = tifffile.imread(path).reshape(90, 101, -1)

    assert np.array_equal(second_decoder_samples(path), expected)


@pytest.mark.parametrize("compression", COMPRESSIONS[1:])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_cut_strip_is_never_filled_in(tmp_path: Path, compression: str, bits: int) -> None:
    gray = grain(83, 101, bits=bits)
    with io.BytesIO() as file:
        tifffile.imwrite(file, gray, compression=compression, rowsperstrip=20, metadata=None)
        file.seek(0)
        with tifffile.TiffFile(file) as written:
            page = written.pages.first
            offset, tag = page.dataoffsets[2], page.tags[279]
            sizes = list(page.databytecounts)
        for lost in (1, 8, sizes[2] // 2, sizes[2]):
            data = bytearray(file.getvalue())
            kind = {3: "<H", 4: "<I"}[tag.dtype]
            struct.pack_into(kind, data, tag.valueoffset + 2 * struct.calcsize(kind), sizes[2] - lost)
            data[offset + sizes[2] - lost : offset + sizes[2]] = bytes(lost)
            path = tmp_path / "a.tif"
            path.write_bytes(data)
            try:
                samples = second_decoder_samples(path, strict=True)
            except TruncatedImage:
                continue
            assert np.array_equal(samples[..., 0], gray), lost  # its last bytes hold no pixel


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_fax_data_that_end_early_are_damaged(tmp_path: Path, compression: str) -> None:
    levels = (np.random.default_rng(2).random((60, 90)) < 0.3).astype(np.uint8)
    path = tmp_path / "a.tif"
    Image.fromarray(levels * 255).convert("1").save(path, compression=compression)
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        tag, size = page.tags[279], page.databytecounts[0]
    data = bytearray(path.read_bytes())
    struct.pack_into({3: "<H", 4: "<I"}[tag.dtype], data, tag.valueoffset, size // 2)
    path.write_bytes(data)

    with pytest.raises(TruncatedImage):
        second_decoder_samples(path)


@pytest.mark.parametrize("compression", COMPRESSIONS[:4])
def test_both_decoders_agree(tiff: Maker, compression: str) -> None:
    path = tiff(grain(83, 101, bits=16), compression=compression, tile=(32, 48))
    facts = identify(path)
    first = np.concatenate([samples for _, samples in Master(path, facts, path.parent).stored_strips()])

    assert np.array_equal(second_decoder_samples(path), first)
