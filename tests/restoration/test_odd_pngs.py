"""What is odd about a PNG beside its pixels is no obstacle; what is damaged among them is refused.

The expected pixels are the array that the PNG was made of.
"""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from restoration import DecodersDisagree, TruncatedImage, identify, metadata, second_decoder
from restoration.agreement import Agreement
from restoration.reading import Scan

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
def test_what_is_odd_beside_the_pixels_is_no_obstacle(
    tmp_path: Path, gray8: Gray, name: str, tail: bytes
) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(png(gray8, ODD[name]) + tail)
    facts = identify(path)
    metadata.read(path, facts)
    agreement = Agreement(path, facts, tmp_path, second_decoder.strips(path, facts))
    found = []
    for top, samples in Scan(path, facts, tmp_path).stored_strips():
        agreement.add(top, samples)
        found.append(samples)
    assert np.array_equal(np.concatenate(found)[..., 0], gray8)


@pytest.mark.parametrize("name", DAMAGED)
def test_what_is_damaged_among_the_pixels_is_refused(tmp_path: Path, gray8: Gray, name: str) -> None:
    path = tmp_path / "damaged.png"
    path.write_bytes(png(gray8, DAMAGED[name]))
    facts = identify(path)
    agreement = Agreement(path, facts, tmp_path, second_decoder.strips(path, facts))
    with pytest.raises((TruncatedImage, DecodersDisagree)):
        Scan(path, facts, tmp_path).overview(64, agreement=agreement)
