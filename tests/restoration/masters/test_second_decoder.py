"""The second decoder gives what is stored, to the last pixel, or says that it cannot.

What is stored is known beforehand: arrays that tifffile, Pillow or libvips wrote.
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
import pyvips
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from restoration import Limits, MasterError, TruncatedImage, identify
from restoration.masters import second_decoder
from restoration.masters.decode_errors import NoSecondDecoder
from restoration.masters.facts import ScanFacts
from restoration.masters.strips import Master
from restoration.masters.tiff import segments

Array = np.ndarray
Maker = Callable[..., Path]


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_SPAN_PIXELS", 5000)
    monkeypatch.setattr(second_decoder, "_PORTION", 5000)


def read(path: Path, *, strict: bool = False, **facts: Any) -> Array:
    told = replace(identify(path), **facts)
    found = list(second_decoder.read_rows(path, told, 2, strict=strict))
    tops = np.cumsum([0, *(len(samples) for _, samples in found)])
    assert [top for top, _ in found] == list(tops[:-1])
    return np.concatenate([samples for _, samples in found])


def grain(*shape: int, bits: int = 8) -> Array:
    """A gradient with grain, so that no two rows or bands are alike."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    base = (rows + columns) / (shape[0] + shape[1])
    base = base.reshape(base.shape + (1,) * (len(shape) - 2)) * (2**bits - 1)
    noise = np.random.default_rng(5).integers(-20, 21, shape)
    return np.clip(base + noise, 0, 2**bits - 1).astype(np.uint16 if bits == 16 else np.uint8)


COMPRESSIONS = (None, "lzw", "adobe_deflate", "packbits", "zstd", "lzma")


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("cut", [{"rowsperstrip": 7}, {"rowsperstrip": 83}, {"tile": (32, 48)}])
def test_each_kind_of_tiff_gives_what_is_stored(
    tiff: Maker, compression: str, predictor: bool, bits: int, byteorder: str, planar: str, cut: dict
) -> None:
    if predictor and compression in {None, "packbits"}:
        return
    rgb = grain(83, 101, 3, bits=bits)
    gray = rgb[..., 1]
    facts = {"compression": compression, "predictor": predictor, "byteorder": byteorder, **cut}
    stored = np.moveaxis(rgb, -1, 0) if planar == "separate" else rgb

    assert np.array_equal(read(tiff(gray, **facts))[..., 0], gray)
    path = tiff(stored, photometric="rgb", planarconfig=planar, **facts)
    assert np.array_equal(read(path), rgb)


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
        assert np.array_equal(read(path, bands=bands, alpha=True), samples)


def test_extra_samples_that_the_facts_leave_out_are_left_out(tiff: Maker) -> None:
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
def test_where_zero_is_white_gray_is_inverted(tiff: Maker, bits: int) -> None:
    gray = grain(40, 60, bits=bits)
    assert np.array_equal(read(tiff(gray, photometric="miniswhite"))[..., 0], 2**bits - 1 - gray)


@pytest.mark.parametrize("bits", [1, 2, 4])
@pytest.mark.parametrize("inverted", [False, True])
def test_packed_samples_spread_over_the_whole_range(tmp_path: Path, bits: int, inverted: bool) -> None:
    levels = np.random.default_rng(1).integers(0, 2**bits, (33, 77)).astype(np.uint8)
    path = tmp_path / "a.tif"
    rows = b"".join(_row_bytes(row, bits) for row in levels)
    tags = {256: 77, 257: 33, 258: bits, 259: 1, 262: int(not inverted), 273: 8, 277: 1, 278: 33}
    _write_tiff(path, rows, tags)

    expected = levels * np.uint8(255 // (2**bits - 1))
    assert np.array_equal(read(path)[..., 0], 255 - expected if inverted else expected)


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
def test_byte_counts_of_zero_are_told_from_the_rows(tiff: Maker, rows: int, planar: str) -> None:
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


def test_strips_that_lie_apart_or_backwards_are_found(tmp_path: Path) -> None:
    gray = grain(30, 50)
    path = tmp_path / "a.tif"
    offsets = [8 + 600 * i for i in (2, 0, 1)]
    body = b"".join(gray[10 * i : 10 * i + 10].tobytes() + bytes(100) for i in (1, 2, 0))
    tags = {256: 50, 257: 30, 258: 8, 259: 1, 262: 1, 277: 1, 278: 10, 273: offsets, 279: [500] * 3}
    _write_tiff(path, body, tags)

    assert np.array_equal(read(path)[..., 0], gray)


def test_a_hundred_thousand_strips_take_no_time(tmp_path: Path) -> None:
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
def test_bilevel_fax_data_give_what_is_stored(tmp_path: Path, compression: str, order: int) -> None:
    levels = np.zeros((60, 90), np.uint8)
    levels[10:40, 20:70] = 1
    levels[::7] ^= 1
    path = tmp_path / "a.tif"
    Image.fromarray(levels * 255).convert("1").save(path, compression=compression, tiffinfo={266: order})

    with tifffile.TiffFile(path) as file:
        assert int(file.pages[0].compression) in {2, 3, 4}
    assert np.array_equal(read(path)[..., 0], levels * 255)


def test_a_palette_becomes_its_colors(tmp_path: Path) -> None:
    indices = np.random.default_rng(1).integers(0, 256, (33, 77)).astype(np.uint8)
    colors = np.random.default_rng(2).integers(0, 256, (256, 3)).astype(np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(colors.tobytes())
    for name in ("a.tif", "a.png", "a.gif"):
        image.save(tmp_path / name)
        assert np.array_equal(read(tmp_path / name), colors[indices])


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2), (4, 1), (2, 1)])
@pytest.mark.parametrize("compression", [1, 5, 8])
def test_the_y_of_ycbcr_is_read_as_it_is_stored(
    tmp_path: Path, subsampling: tuple[int, int], compression: int
) -> None:
    across, down = subsampling
    height, width = 30, 52
    y = grain(height, width)
    cb, cr = grain(-(-height // down), -(-width // across), 2).transpose(2, 0, 1)
    path = tmp_path / "a.tif"
    _write_ycbcr(path, (y, cb, cr), subsampling, compression)

    samples = read(path, mode="ycbcr", bands=3, alpha=False)

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


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("facts", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}])
def test_a_jpeg_is_read_as_pillow_reads_it(tmp_path: Path, mode: str, facts: dict) -> None:
    image = Image.fromarray(grain(90, 70, 3)).convert(mode)
    image.save(tmp_path / "a.jpg", quality=85, **facts)
    with Image.open(tmp_path / "a.jpg") as opened:
        expected = np.asarray(opened).reshape(90, 70, -1)

    assert np.array_equal(read(tmp_path / "a.jpg"), expected)


@pytest.mark.parametrize("photometric", ["minisblack", "rgb", "ycbcr"])
@pytest.mark.parametrize("cut", [{"rowsperstrip": 16}, {"tile": (32, 48)}])
def test_a_jpeg_in_a_tiff_is_read_with_its_tables(tmp_path: Path, photometric: str, cut: dict) -> None:
    rgb = grain(90, 101, 3)
    samples = rgb[..., 0] if photometric == "minisblack" else rgb
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, samples, photometric=photometric, compression="jpeg", **cut)
    expected = tifffile.imread(path).reshape(90, 101, -1)

    assert np.array_equal(read(path), expected)


PNG_KINDS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 4), (3, 8), (4, 8)]
PNG_KINDS += [(4, 16), (6, 8), (6, 16)]


@pytest.mark.parametrize(("color", "bits"), PNG_KINDS)
@pytest.mark.parametrize("interlaced", [False, True])
def test_each_kind_of_png_gives_what_is_stored(
    tmp_path: Path, color: int, bits: int, interlaced: bool
) -> None:
    path = tmp_path / "a.png"
    samples, expected = _png_samples(color, bits)
    path.write_bytes(_png(samples, color, bits, interlaced=interlaced))

    assert np.array_equal(read(path), expected)


def _png_samples(color: int, bits: int) -> tuple[Array, Array]:
    """Samples as they are stored and as they must be read."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    stored = grain(61, 83, channels, bits=bits)
    if color == 3:
        palette = np.frombuffer(_palette(bits), np.uint8).reshape(-1, 3)
        return stored, palette[stored[..., 0]]
    return stored, stored * np.uint8(255 // (2**bits - 1)) if bits < 8 else stored


def _palette(bits: int) -> bytes:
    return np.random.default_rng(8).integers(0, 256, (2**bits, 3)).astype(np.uint8).tobytes()


def _png(samples: Array, color: int, bits: int, *, interlaced: bool) -> bytes:
    """Write a PNG whose rows have each of the five filters, Adam7 if asked for."""
    height, width, _ = samples.shape
    passes = [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]
    data = bytearray()
    for top, left, down, across in passes if interlaced else [(0, 0, 1, 1)]:
        data += _filtered(samples[top::down, left::across], bits)
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, int(interlaced))
    table = _chunk(b"PLTE", _palette(bits)) if color == 3 else b""
    packed = zlib.compress(bytes(data))
    pieces = b"".join(_chunk(b"IDAT", packed[at : at + 1000]) for at in range(0, len(packed), 1000))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + table + pieces + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(samples: Array, bits: int) -> bytes:
    """Filter row after row, byte after byte, as section 9 of the PNG specification has it."""
    step = max(1, samples.shape[2] * bits // 8)
    out = bytearray()
    before: bytes | None = None
    for number, row in enumerate(samples):
        raw = _row_bytes(row.reshape(-1), bits)
        above = before or bytes(len(raw))
        kind = number % 5
        out.append(kind)
        for i, value in enumerate(raw):
            a = raw[i - step] if i >= step else 0
            b, c = above[i], above[i - step] if i >= step else 0
            paeth = min((a, b, c), key=lambda one, p=a + b - c: abs(p - one))
            out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
        before = raw
    return bytes(out)


def _row_bytes(row: Array, bits: int) -> bytes:
    if bits >= 8:
        return row.astype(">u2" if bits == 16 else np.uint8).tobytes()
    text = "".join(f"{value:0{bits}b}" for value in row)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def test_a_transparent_color_of_a_png_is_alpha(tmp_path: Path) -> None:
    gray = grain(61, 83, bits=16)
    key = int(gray[30, 40])
    head = struct.pack(">IIBBBBB", 83, 61, 16, 0, 0, 0, 0)
    body = _chunk(b"tRNS", struct.pack(">H", key)) + _chunk(
        b"IDAT", zlib.compress(_filtered(gray[..., None], 16))
    )
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + body + _chunk(b"IEND", b""))

    samples = read(path)

    assert np.array_equal(samples[..., 0], gray)
    assert np.array_equal(samples[..., 1], np.where(gray == key, 0, 65535))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_lossless_webp_gives_what_is_stored(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(grain(61, 83, 4)).convert(mode)
    image.save(tmp_path / "a.webp", lossless=True, exact=True)
    stored = np.asarray(image if mode != "L" else image.convert("RGB"))

    assert np.array_equal(read(tmp_path / "a.webp"), stored)


@pytest.mark.parametrize("kind", range(1, 7))
@pytest.mark.parametrize("bits", [8, 16])
def test_each_kind_of_pnm_gives_what_is_stored(tmp_path: Path, kind: int, bits: int) -> None:
    bands, bits = 3 if kind in {3, 6} else 1, 1 if kind in {1, 4} else bits
    samples = grain(31, 53, bands, bits=bits)
    scale = b"" if bits == 1 else b"%d\n" % (2**bits - 1)
    if kind <= 3:
        body = b" ".join(b"%d" % value for value in samples.ravel()) + b"\n"
    elif kind == 4:
        body = np.packbits(samples[..., 0], axis=1).tobytes()
    else:
        body = samples.astype(">u2" if bits == 16 else np.uint8).tobytes()
    path = tmp_path / "a.pnm"
    path.write_bytes(b"P%d\n# a comment\n53 31\n%s%s" % (kind, scale, body))
    mode = "rgb" if bands == 3 else "gray"
    facts = ScanFacts("pnm", 53, 31, bands, bits, mode, False, 1, 1, None, None, path.stat().st_size)

    found = np.concatenate([rows for _, rows in second_decoder.read_rows(path, facts)])

    expected = (1 - samples) * np.uint8(255) if bits == 1 else samples  # 1 is black
    assert found.dtype == expected.dtype
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("compression", COMPRESSIONS[1:])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_cut_strip_is_never_filled_up(tmp_path: Path, compression: str, bits: int) -> None:
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
                samples = read(path, strict=True)
            except TruncatedImage:
                continue
            assert np.array_equal(samples[..., 0], gray), lost  # its last bytes hold no pixel


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_fax_data_that_end_early_are_damage(tmp_path: Path, compression: str) -> None:
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
        read(path)


@pytest.mark.parametrize("facts", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9, 0.98])
def test_pixels_that_a_jpeg_lacks_are_damage(tmp_path: Path, facts: dict, keep: float) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(grain(90, 70, 3)).save(path, quality=85, **facts)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)].rstrip(b"\xff") + b"\xff\xd9")

    with pytest.raises(TruncatedImage):
        read(path)


@pytest.mark.parametrize("kind", ["jpeg", "tiff"])
def test_the_last_rows_of_a_jpeg_are_not_taken_on_trust(tmp_path: Path, kind: str) -> None:
    """libvips and libjpeg fill up the last row of blocks without a word."""
    gray = grain(88, 120)
    path = tmp_path / "a"
    if kind == "jpeg":
        Image.fromarray(gray).save(path, "JPEG", quality=85)
    else:
        tifffile.imwrite(path, gray, compression="jpeg", rowsperstrip=88)
    data = bytearray(path.read_bytes())
    end = data.rindex(b"\xff\xd9")
    data[end - 40 : end - 38] = b"\xff\xd9"
    path.write_bytes(data)

    with pytest.raises(TruncatedImage):
        read(path)


def test_a_jpeg_without_its_end_mark_lacks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(grain(90, 70)).save(path, quality=85)
    whole = read(path)
    path.write_bytes(path.read_bytes().removesuffix(b"\xff\xd9"))

    assert np.array_equal(read(path), whole)


def test_what_lies_between_restarts_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(grain(90, 70)).save(path, quality=85, restart_marker_rows=1)
    whole = path.read_bytes()
    at = whole.index(b"\xff\xd3")
    path.write_bytes(whole[: at - 40].rstrip(b"\xff") + whole[at:])
    with pytest.raises(TruncatedImage):
        read(path)

    path.write_bytes(whole[:at] + bytes(600) + whole[at:])  # as some scanners pad
    with Image.open(io.BytesIO(whole)) as opened:
        assert np.array_equal(read(path)[..., 0], np.asarray(opened))


@pytest.mark.parametrize("lost", [20, 400, 2000])
def test_a_cut_png_is_damage(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a.png"
    whole = _png(grain(61, 83, 3), 2, 8, interlaced=False)
    ends = whole.rindex(b"IEND") - 8
    path.write_bytes(whole[: ends - lost])

    with pytest.raises(MasterError):
        read(path)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.webp"])
def test_what_would_take_too_much_memory_has_no_second_decoder(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    image = Image.fromarray(grain(90, 70, 3))
    image.save(path)
    if name == "a.tif":
        tifffile.imwrite(path, np.asarray(image), compression="lzw", rowsperstrip=90)
    facts = identify(path)
    size = facts.pixels * facts.bands

    assert sum(len(rows) for _, rows in second_decoder.read_rows(path, facts, max_bytes=size)) == 90
    with pytest.raises(NoSecondDecoder):
        next(second_decoder.read_rows(path, facts, max_bytes=size - 1))


def test_pictures_beyond_pillows_own_limit_are_read(tmp_path: Path) -> None:
    side = 13_500  # twice Pillow's limit of pixels and more, over which it raises an error
    pyvips.Image.black(side, side).jpegsave(str(tmp_path / "a.jpg"))
    facts = identify(tmp_path / "a.jpg", Limits())

    assert sum(len(samples) for _, samples in second_decoder.read_rows(tmp_path / "a.jpg", facts)) == side


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    which=st.sampled_from(["lzw", "adobe_deflate", "packbits", "png", "gif"]),
    at=st.floats(0, 1, exclude_max=True),
    value=st.integers(0, 255),
)
def test_a_changed_byte_raises_nothing_unforeseen(tmp_path: Path, which: str, at: float, value: int) -> None:
    path = tmp_path / ("a.png" if which == "png" else "a.gif" if which == "gif" else "a.tif")
    if path.suffix == ".tif":
        tifffile.imwrite(path, grain(40, 50), compression=which, metadata=None)
    else:
        Image.fromarray(grain(40, 50)).save(path)
    facts = identify(path)
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] = value
    path.write_bytes(data)
    try:
        for _ in second_decoder.read_rows(path, facts, 1):
            pass
    except (MasterError, NoSecondDecoder):
        pass


@pytest.mark.parametrize("compression", COMPRESSIONS[:4])
def test_both_decoders_read_alike_what_both_can_read(tiff: Maker, compression: str) -> None:
    path = tiff(grain(83, 101, bits=16), compression=compression, tile=(32, 48))
    facts = identify(path)
    first = np.concatenate([samples for _, samples in Master(path, facts, path.parent).stored_strips()])

    assert np.array_equal(read(path), first)
