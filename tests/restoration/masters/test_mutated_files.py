"""Thousands of files changed at random: each is read or refused with a reason, and no reader crashes."""

import io
import random
import re
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tiff_files import ASCII, RATIONAL, Page, tiff_bytes

from restoration import Limits, ReaderFailed, RestorationError
from restoration.masters.sandbox import Reader

Gray = np.ndarray
FILES = 2_000
SEED = 20261128
PYTHON = re.compile(
    r"Error|Exception|Traceback|NoneType|object|index out of range|invalid literal for|unpack|subscript"
    r"|argument|positional|b'|int\(\)|codec can't|numpy|__"
)
"""Words of Python tracebacks, which a message must not contain."""
LIBRARIES = re.compile(
    r"\w+2vips|vips|libpng|libspng|[a-z]+load(_\w+)?\b|unable to (fetch|call|load)|\bregion\b"
    r"|TIFF(Fill|Read|Fetch)|[A-Z0-9]+Decode|\w+_(buffer|source)\b|\(\w+: ",
    re.IGNORECASE,
)
"""Internal names of libraries, which mean nothing to an archivist."""


def tiff(samples: Gray, **facts: object) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, samples, metadata=None, **facts)
    return out.getvalue()


def pillow(samples: Gray, kind: str, mode: str = "L", **facts: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(samples).convert(mode).save(out, kind, **facts)
    return out.getvalue()


def good(gray: Gray) -> list[bytes]:
    rgb = np.dstack([gray] * 3)
    planes = np.ascontiguousarray(np.moveaxis(rgb, -1, 0))
    described = {
        305: (ASCII, b"x" * 20),
        306: (ASCII, b"1952:03:14 10:00:00\0"),
        282: (RATIONAL, [(300, 1)]),
        283: (RATIONAL, [(300, 1)]),
        33723: (ASCII, b"\x1c\x02\x78\0\x03abc"),
    }
    return [
        tiff(gray),
        tiff(gray, compression="lzw"),
        tiff(gray, compression="zstd"),
        tiff(gray, compression="adobe_deflate", tile=(32, 32)),
        tiff(rgb, photometric="rgb"),
        tiff(planes, photometric="rgb", planarconfig="separate", tile=(32, 32)),
        tiff(gray.astype(np.uint16) * 257, byteorder=">", bigtiff=True, compression="packbits"),
        tiff(np.dstack([gray, gray]), photometric="minisblack", extrasamples=["assocalpha"]),
        tiff(rgb, photometric="rgb", compression="jpeg"),
        tiff_bytes(Page(gray, described), Page(np.ascontiguousarray(gray[::2, ::2]))),
        pillow(gray, "TIFF", "1", compression="group4"),
        pillow(gray, "TIFF", "P"),
        pillow(gray, "JPEG"),
        pillow(gray, "JPEG", "RGB"),
        pillow(gray, "JPEG", progressive=True),
        pillow(gray, "JPEG", restart_marker_rows=1),
        pillow(gray, "PNG"),
        pillow(gray, "PNG", "P"),
        pillow(gray, "PNG", "RGBA"),
        pillow(gray, "GIF"),
        pillow(gray, "WEBP"),
        pillow(gray, "PPM"),
        b"P2 4 4 255 " + b"7 " * 16,
    ]


def mutated(whole: bytes, rng: random.Random) -> bytes:
    """Change up to eight bytes, most of them near an end, where headers are; cut some files."""
    content = bytearray(whole)
    for _ in range(rng.choice([1, 1, 2, 4, 8])):
        reach = min(len(content), 400 if rng.random() < 0.7 else len(content))
        at = rng.randrange(reach) if rng.random() < 0.5 else len(content) - 1 - rng.randrange(reach)
        way = rng.random()
        if way < 0.5:
            content[at] = rng.randrange(256)
        elif way < 0.7:
            content[at] = rng.choice([0, 1, 2, 127, 128, 255])
        elif way < 0.8:
            number = rng.choice([0, 1, 1 << 31, (1 << 32) - 1, len(content), at])
            content[at : at + 4] = struct.pack("<I", number)
        elif way < 0.9 and len(content) > 100:
            del content[at : at + rng.randrange(1, 40)]
        else:
            content[at:at] = rng.randbytes(rng.randrange(1, 40))
    return bytes(content[: rng.randrange(4, len(content))] if rng.random() < 0.1 else content)


@pytest.fixture
def reader() -> Iterator[Reader]:
    one = Reader()
    yield one
    one.close()


def test_every_mutated_file_is_read_or_refused_with_a_reason(
    reader: Reader, gray8: Gray, tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    seeds = good(np.ascontiguousarray(gray8[200:296, 20:148]))
    path = tmp_path / "mutated"
    ends: Counter[str] = Counter()
    for _ in range(FILES):
        path.write_bytes(mutated(rng.choice(seeds), rng))
        try:
            overview = reader.overview(path, Limits(), 256, tmp_path)
            ends["read"] += 1
            said = overview.notes
        except RestorationError as error:
            ends[error.code] += 1
            said = (error.reason, error.remedy)
        for text in said:
            assert not PYTHON.search(text), text
            assert not LIBRARIES.search(text), text
    assert not ends[ReaderFailed.code]
    assert ends["read"] > FILES / 10
    assert ends["truncated-image"] > FILES / 4
