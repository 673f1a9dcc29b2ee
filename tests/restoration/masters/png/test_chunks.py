"""Odd chunks of a PNG are ignored; damaged pixel data are refused.

The expected pixels are the array that the PNG was made of.
"""

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restoration import DecodersDisagree, TruncatedImage, UnsupportedImage, identify
from restoration.masters import second_decoder, tone_profile
from restoration.masters.decoder_agreement import DecoderComparison
from restoration.masters.metadata import embedded
from restoration.masters.strips import Master

Gray = np.ndarray
Chunks = list[tuple[bytes, bytes, bytes]]
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, content: bytes, *, checksum: int | None = None) -> tuple[bytes, bytes, bytes]:
    check = zlib.crc32(kind + content) if checksum is None else checksum
    return kind, content, struct.pack(">I", check)


def joined(chunks: Chunks) -> bytes:
    return b"".join(
        struct.pack(">I", len(content)) + kind + content + check for kind, content, check in chunks
    )


def png(gray: Gray, change: Callable[[Chunks], Chunks]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(gray).save(out, "PNG")
    whole, chunks, at = out.getvalue(), [], 8
    while at < len(whole):
        length, kind = struct.unpack_from(">I4s", whole, at)
        chunks.append((kind, whole[at + 8 : at + 8 + length], whole[at + 8 + length : at + 12 + length]))
        at += 12 + length
    return SIGNATURE + joined(change(chunks))


def with_chunk(kind: bytes, content: bytes, *, checksum: int | None = None) -> Callable[[Chunks], Chunks]:
    return lambda chunks: [chunks[0], chunk(kind, content, checksum=checksum), *chunks[1:]]


def with_data(change: Callable[[bytes], bytes]) -> Callable[[Chunks], Chunks]:
    def changed(chunks: Chunks) -> Chunks:
        data = b"".join(content for kind, content, _ in chunks if kind == b"IDAT")
        return [chunks[0], chunk(b"IDAT", change(data)), chunks[-1]]

    return changed


ODD: dict[str, Callable[[Chunks], Chunks]] = {
    "a text with a wrong checksum": with_chunk(b"tEXt", b"Title\0x", checksum=1),
    "a resolution with a wrong checksum": with_chunk(
        b"pHYs", struct.pack(">IIB", 11811, 11811, 1), checksum=1
    ),
    "a resolution cut off": with_chunk(b"pHYs", b"123"),
    "a text without a keyword": with_chunk(b"tEXt", b"\0x"),
    "a keyword too long": with_chunk(b"tEXt", b"k" * 200 + b"\0x"),
    "a compressed text that is none": with_chunk(b"zTXt", b"Title\0\0garbage"),
    "an international text cut off": with_chunk(b"iTXt", b"Title\0"),
    "a profile that is none": with_chunk(b"iCCP", b"bad\0\0garbage"),
    "a time cut off": with_chunk(b"tIME", b"123"),
    "a gamma of 0": with_chunk(b"gAMA", bytes(4)),
    "an intent that is none": with_chunk(b"sRGB", b"\x09"),
    "EXIF that is none": with_chunk(b"eXIf", b"xx"),
    "a chunk of its own": with_chunk(b"abCd", b"xx"),
    "no end": lambda chunks: chunks[:-1],
    "a wrong checksum of the end": lambda chunks: [*chunks[:-1], chunk(b"IEND", b"", checksum=1)],
    "chunks after the end": lambda chunks: [*chunks, chunk(b"tEXt", b"Title\0x")],
    "bytes after the data": with_data(lambda data: data + b"x" * 50),
}
DAMAGED: dict[str, Callable[[Chunks], Chunks]] = {
    "a wrong checksum of the pixels": with_data(lambda data: data[:-4] + bytes(4)),
    "pixels cut off": with_data(lambda data: data[: len(data) * 3 // 4]),
    "a row missing": with_data(lambda data: zlib.compress(zlib.decompress(data)[:-252])),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("tail", [b"", b"trailing garbage" * 99])
def test_odd_chunks_beside_the_pixels_are_accepted(
    tmp_path: Path, gray8: Gray, name: str, tail: bytes
) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(png(gray8, ODD[name]) + tail)
    facts = identify(path)
    embedded.read_metadata(path, facts)
    comparison = DecoderComparison(path, facts, tmp_path, second_decoder.read_rows(path, facts))
    found = []
    for top, samples in Master(path, facts, tmp_path).stored_strips():
        comparison.add(top, samples)
        found.append(samples)
    assert np.array_equal(np.concatenate(found)[..., 0], gray8)


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_pixel_data_are_refused(tmp_path: Path, gray8: Gray, name: str) -> None:
    path = tmp_path / "damaged.png"
    path.write_bytes(png(gray8, DAMAGED[name]))
    facts = identify(path)
    comparison = DecoderComparison(path, facts, tmp_path, second_decoder.read_rows(path, facts))
    with pytest.raises((TruncatedImage, DecodersDisagree)):
        Master(path, facts, tmp_path).overview(64, comparison=comparison)


def stored(path: Path) -> tuple[Gray, tuple[str, ...]]:
    """Return the samples that both decoders agree on, and the notes."""
    facts = identify(path)
    comparison = DecoderComparison(path, facts, path.parent, second_decoder.read_rows(path, facts))
    found = []
    for top, samples in Master(path, facts, path.parent).stored_strips():
        comparison.add(top, samples)
        found.append(samples)
    assert comparison.finish().decoders == 2
    return np.concatenate(found), facts.notes


def made(
    samples: Gray,
    bits: int,
    color: int,
    extra: Sequence[tuple[bytes, bytes, bytes]] = (),
    *,
    interlaced: bool = False,
) -> bytes:
    """Return a PNG of samples (h, W) or (h, W, channels) without filters."""
    height, width = samples.shape[:2]

    def rows(part: Gray) -> bytes:
        if bits < 8:
            single = np.unpackbits(part[..., None].astype(np.uint8), axis=2)[..., 8 - bits :]
            packed = np.packbits(single.reshape(len(part), -1), axis=1)
        else:
            packed = part.astype(">u2" if bits == 16 else np.uint8).reshape(len(part), -1)
            packed = packed.view(np.uint8)
        return b"".join(b"\0" + row.tobytes() for row in packed)

    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    parts = [samples[y::down, x::across] for x, y, across, down in steps] if interlaced else [samples]
    data = b"".join(rows(part) for part in parts if part.size)
    head = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    end = [chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    return SIGNATURE + joined([chunk(b"IHDR", head), *extra, *end])


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_only_the_low_bits_of_a_transparent_gray_count(
    tmp_path: Path, gray8: Gray, bits: int, interlaced: bool
) -> None:
    most = (1 << bits) - 1
    levels = gray8.astype(np.uint16) * 257 if bits == 16 else gray8 >> (8 - bits)
    key = int(levels[100, 100])
    told = key if bits == 16 else key | 1 << bits | 0x8000
    path = tmp_path / "clear.png"
    path.write_bytes(made(levels, bits, 0, [chunk(b"tRNS", struct.pack(">H", told))], interlaced=interlaced))
    samples, notes = stored(path)
    whole = 65535 if bits == 16 else 255
    assert np.array_equal(samples[..., 0], levels * (whole // most))
    assert np.array_equal(samples[..., 1], np.where(levels == key, 0, whole))
    assert not notes


def test_only_the_low_bytes_of_a_transparent_color_count(tmp_path: Path, gray8: Gray) -> None:
    rgb = np.dstack([gray8, gray8, gray8])
    key = int(gray8[100, 100])
    path = tmp_path / "clear.png"
    path.write_bytes(made(rgb, 8, 2, [chunk(b"tRNS", struct.pack(">3H", key, key | 256, key | 0x7700))]))
    samples, _ = stored(path)
    assert np.array_equal(samples[..., :3], rgb)
    assert np.array_equal(samples[..., 3], np.where(gray8 == key, 0, 255))


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\x64\1\2", b"\0\x64" * 3, bytes(300)])
def test_transparency_of_a_wrong_length_is_ignored_and_noted(
    tmp_path: Path, gray8: Gray, content: bytes
) -> None:
    path = tmp_path / "clear.png"
    path.write_bytes(made(gray8, 8, 0, [chunk(b"tRNS", content)]))
    samples, notes = stored(path)
    assert np.array_equal(samples, gray8[..., None])
    assert notes == ("PNG: chunk tRNS has a wrong length; ignored",)


def test_more_alphas_than_palette_colors_are_ignored(tmp_path: Path, gray8: Gray) -> None:
    palette = bytes(np.repeat(np.arange(16, dtype=np.uint8) * 17, 3))
    path = tmp_path / "palette.png"
    for length, bands in ((17, 1), (16, 2)):
        extra = [chunk(b"PLTE", palette), chunk(b"tRNS", bytes(range(length)))]
        path.write_bytes(made(gray8 >> 4, 4, 3, extra))
        samples, notes = stored(path)
        assert np.array_equal(samples[..., 0], (gray8 >> 4) * 17)
        assert samples.shape[2] in {bands, bands + 2}
        assert bool(notes) == (length == 17)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("size", [(337, 251), (1, 1), (3, 5), (2, 40), (9, 1)])
def test_interlaced_rows_are_read_without_warnings(
    tmp_path: Path, gray8: Gray, capfd: pytest.CaptureFixture[str], bits: int, size: tuple[int, int]
) -> None:
    part = gray8[: size[0], : size[1]]
    levels = part.astype(np.uint16) * 257 if bits == 16 else part >> (8 - bits)
    path = tmp_path / "interlaced.png"
    path.write_bytes(made(levels, bits, 0, interlaced=True))
    samples, _ = stored(path)
    whole = 65535 if bits == 16 else 255
    assert np.array_equal(samples[..., 0], levels * (whole // ((1 << bits) - 1)))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("bits", "color", "channels"), [(8, 2, 3), (16, 2, 3), (8, 4, 2), (16, 4, 2), (16, 6, 4)]
)
def test_interlaced_colors_are_read_without_warnings(
    tmp_path: Path,
    gray8: Gray,
    capfd: pytest.CaptureFixture[str],
    bits: int,
    color: int,
    channels: int,
) -> None:
    samples = np.dstack([gray8, gray8[::-1], gray8[:, ::-1], 255 - gray8])[..., :channels]
    samples = samples.astype(np.uint16) * 257 + 3 if bits == 16 else samples
    path = tmp_path / "interlaced.png"
    path.write_bytes(made(samples, bits, color, interlaced=True))
    assert np.array_equal(stored(path)[0], samples)
    assert capfd.readouterr().err == ""


def test_an_interlaced_png_that_lacks_rows_is_damaged(tmp_path: Path, gray8: Gray) -> None:
    whole = made(gray8, 8, 0, interlaced=True)
    at = whole.index(b"IDAT") + 4
    data = zlib.decompress(whole[at : whole.index(b"IEND") - 8])
    path = tmp_path / "interlaced.png"
    path.write_bytes(
        whole[: at - 8] + joined([chunk(b"IDAT", zlib.compress(data[:-252])), chunk(b"IEND", b"")])
    )
    facts = identify(path)
    with pytest.raises(TruncatedImage, match="of 168 rows"):
        list(second_decoder.read_rows(path, facts))


@pytest.mark.parametrize("where", ["before the header", "before the data", "after the data"])
def test_an_unknown_critical_chunk_is_refused_with_a_remedy(tmp_path: Path, gray8: Gray, where: str) -> None:
    def change(chunks: Chunks) -> Chunks:
        at = {"before the header": 0, "before the data": 1, "after the data": len(chunks) - 1}[where]
        return [*chunks[:at], chunk(b"ABCD", b"xyz"), *chunks[at:]]

    path = tmp_path / "odd.png"
    path.write_bytes(png(gray8, change))
    with pytest.raises(UnsupportedImage, match=r"ABCD.*convert it"):
        identify(path)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (b"gAMA", struct.pack(">I", 100_000)),
        (b"sRGB", b"\0"),
        (b"tEXt", b"Title\0not this one"),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>"),
        (b"pHYs", struct.pack(">IIB", 11811, 11811, 1)),
        (b"eXIf", b"II*\0\x08\0\0\0\0\0"),
    ],
)
@pytest.mark.parametrize("place", [1, -1])
def test_a_chunk_with_a_wrong_checksum_is_ignored(
    tmp_path: Path, gray8: Gray, kind: bytes, content: bytes, place: int
) -> None:
    path = tmp_path / "odd.png"
    plain = tmp_path / "plain.png"
    plain.write_bytes(png(gray8, lambda chunks: chunks))
    path.write_bytes(
        png(gray8, lambda chunks: [*chunks[:place], chunk(kind, content, checksum=1), *chunks[place:]])
    )
    samples, notes = stored(path)
    assert np.array_equal(samples, gray8[..., None])
    assert notes == (f"PNG: chunk {kind.decode()} is damaged; ignored",)
    facts = identify(path)
    assert facts.dpi is None
    assert embedded.read_metadata(path, facts) == embedded.read_metadata(plain, identify(plain))
    assert tone_profile.read_tone_profile(path, facts) == tone_profile.read_tone_profile(
        plain, identify(plain)
    )


def test_a_damaged_transparency_is_refused(tmp_path: Path, gray8: Gray) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(png(gray8, with_chunk(b"tRNS", b"\0\x64", checksum=1)))
    with pytest.raises(TruncatedImage, match="tRNS"):
        identify(path)
