"""Files that nobody should trust, made by the thousand from good ones, and what becomes of each.

    python tests/faults/hostile.py --files 3000 --seed 1 [--json FILE]

Good TIFF, PNG, JPEG, WebP, GIF and JPEG 2000 files are cut, spliced, and changed byte by byte; beside them
stand bombs, headers that claim anything, TIFF directories in chains and loops, and files that are two things
at once. Each is restored as a job would: it ends done and proven, or with an error that names reason and
remedy, within the limits; nothing else is allowed.
"""

import argparse
import io
import json
import random
import struct
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image
from skimage import data

from restoration import (
    Compute,
    Input,
    Limits,
    LoadedModel,
    MasterError,
    Output,
    Preset,
    ReaderFailed,
    Transient,
    load_model,
    model_card,
    recipe_for,
    restore,
)

LIMITS = Limits(
    max_pixels=100_000_000, max_bytes=400_000_000, reader_bytes=500_000_000, reader_cpu_seconds=20,
    reader_silent_seconds=20,
)  # fmt: skip
_BYTES = (0, 1, 2, 3, 8, 16, 127, 128, 254, 255)
PATIENCE = 240.0
"""Seconds that one file may take; 64 megapixels in a million strips took 72 on a busy machine."""


@dataclass
class Told:
    """What became of the files."""

    ends: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)


def seeds() -> dict[str, bytes]:
    """Return good files, by a name with the ending that they would have."""
    gray = np.ascontiguousarray(data.camera()[100:260, 150:330])
    deep = gray.astype(np.uint16) * 257
    rgb = np.dstack([gray] * 3)
    found = {}

    def tiff(name: str, samples: np.ndarray, **facts: Any) -> None:
        stream = io.BytesIO()
        tifffile.imwrite(stream, samples, **facts)
        found[f"{name}.tif"] = stream.getvalue()

    def pillow(name: str, samples: np.ndarray, kind: str, **facts: Any) -> None:
        stream = io.BytesIO()
        Image.fromarray(samples).save(stream, format=kind, **facts)
        found[name] = stream.getvalue()

    tiff("plain", gray)
    tiff("deep", deep)
    tiff("rgb", rgb, photometric="rgb")
    tiff("tiles", deep, tile=(64, 64), compression="deflate")
    tiff("lzw", gray, compression="lzw", predictor=True)
    tiff("zstd", deep, compression="zstd")
    tiff("jpeg", gray, compression="jpeg")
    tiff("big", deep, bigtiff=True, rowsperstrip=16)
    tiff("swapped", deep, byteorder=">")
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(gray)
        writer.write(gray[::4, ::4], subfiletype=1)
    found["preview.tif"] = stream.getvalue()
    pillow("plain.png", gray, "PNG")
    pillow("deep.png", deep, "PNG")
    pillow("base.jpg", gray, "JPEG", quality=85)
    pillow("progressive.jpg", gray, "JPEG", quality=85, progressive=True, exif=_exif())
    pillow("plain.webp", rgb, "WEBP", lossless=True)
    pillow("plain.gif", gray, "GIF")
    found["plain.jp2"] = imagecodecs.jpeg2k_encode(gray)
    return found


def _exif() -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    exif[315] = "Kim" * 40
    return exif.tobytes()


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return a file with something wrong with it."""
    return chance.choice(_MUTATIONS)(bytearray(content), chance)


def _flip(content: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 2, 8, 64))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def _head(content: bytearray, chance: random.Random) -> bytes:
    """Change bytes of the header only."""
    for _ in range(chance.choice((1, 2, 4))):
        content[chance.randrange(min(len(content), 200))] = chance.choice(
            (0, 1, 127, 128, 255, chance.randrange(256))
        )
    return bytes(content)


def _tail(content: bytearray, chance: random.Random) -> bytes:
    """Change bytes near the end, where a TIFF has its directory."""
    for _ in range(chance.choice((1, 2, 4))):
        content[-1 - chance.randrange(min(len(content), 300))] = chance.choice(
            (0, 1, 127, 255, chance.randrange(256))
        )
    return bytes(content)


def _cut(content: bytearray, chance: random.Random) -> bytes:
    return bytes(content[: chance.randrange(1, len(content))])


def _hole(content: bytearray, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    return bytes(content[:start] + content[start + chance.randrange(1, 200) :])


def _zeros(content: bytearray, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    size = chance.randrange(1, 400)
    content[start : start + size] = bytes(min(size, len(content) - start))
    return bytes(content)


def _extreme(content: bytearray, chance: random.Random) -> bytes:
    """Write an extreme 32-bit number somewhere near either end."""
    place = chance.choice(
        (
            chance.randrange(min(400, len(content) - 4)),
            len(content) - 4 - chance.randrange(min(400, len(content) - 4)),
        )
    )
    number = chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, len(content), 65_536))
    content[place : place + 4] = struct.pack(chance.choice("<>") + "I", number)
    return bytes(content)


def _spliced(content: bytearray, chance: random.Random) -> bytes:
    other = chance.choice(list(seeds_once().values()))
    at = chance.randrange(min(len(content), len(other)))
    return bytes(content[:at]) + other[at:]


_MUTATIONS: tuple[Callable[[bytearray, random.Random], bytes], ...] = (
    _flip, _head, _tail, _cut, _hole, _zeros, _extreme, _extreme, _spliced,
)  # fmt: skip


def crafted() -> dict[str, bytes]:
    """Return files that were thought out."""
    found = {
        "empty.tif": b"",
        "text.tif": b"a letter, no picture\n" * 40,
        "zip.tif": b"PK\x03\x04" + bytes(400),
        "pdf-tiff.tif": b"%PDF-1.7\n" + seeds_once()["plain.tif"],
        "html.png": b"\x89PNG\r\n\x1a\n<script>alert(1)</script>" * 20,
        "jpeg-in-tiff.tif": seeds_once()["base.jpg"] + seeds_once()["plain.tif"],
        "tiff-in-jpeg.jpg": seeds_once()["plain.tif"] + seeds_once()["base.jpg"],
        "png-bomb.png": _png(17_000, 17_000, zlib.compress(bytes(17_001 * 1_000), 9)),
        "png-claims.png": _png(2**31 - 1, 2**31 - 1, zlib.compress(b"\0" * 40)),
        "png-whole-bomb.png": _png(20_000, 4_900, zlib.compress(bytes(20_001 * 4_900), 9)),
        "loop.tif": _directories(loop=True),
        "chain.tif": _directories(count=20_000),
        "strips.tif": _many_strips(),
    }
    for width, height in ((0, 0), (1, 2**32 - 1), (2**32 - 1, 2**32 - 1), (65_536, 65_536), (10**6, 1)):
        claims = {256: width, 257: height, 278: height, 279: 9}
        entries = [(tag, kind, count, claims.get(tag, value)) for tag, kind, count, value in _PLAIN]
        found[f"claims-{width}-{height}.tif"] = _tiff(entries)
    for tag in (256, 257, 258, 259, 262, 273, 277, 278, 279, 322, 323, 330, 34665, 34675):
        for kind in (0, 1, 2, 5, 12, 16, 99):
            entry = (tag, kind, 2**31, 2**32 - 8)
            found[f"tag-{tag}-{kind}.tif"] = _tiff([entry, *(one for one in _PLAIN if one[0] != tag)])
    return found


_PLAIN = [
    (256, 4, 1, 64),
    (257, 4, 1, 64),
    (258, 3, 1, 8),
    (259, 3, 1, 1),
    (262, 3, 1, 1),
    (273, 4, 1, 8),
    (277, 3, 1, 1),
    (278, 4, 1, 64),
    (279, 4, 1, 4096),
]
"""A directory of 64 x 64 gray pixels whose only strip begins at byte 8."""


def _tiff(entries: list[tuple[int, int, int, int]], following: int = 0, filler: int = 4200) -> bytes:
    body = b"II*\0" + struct.pack("<I", 8 + filler) + bytes(filler)
    body += struct.pack("<H", len(entries))
    body += b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return body + struct.pack("<I", following)


def _directories(*, loop: bool = False, count: int = 1) -> bytes:
    if loop:
        return _tiff(_PLAIN, following=8 + 4200)
    content, size = _tiff(_PLAIN), 2 + 12 * len(_PLAIN) + 4
    parts, at = [content[:-4]], len(content)
    for number in range(count):
        parts += [struct.pack("<I", at), struct.pack("<H", len(_PLAIN))]
        parts.append(b"".join(struct.pack("<HHII", *entry) for entry in _PLAIN))
        at += size
        if number == count - 1:
            parts.append(struct.pack("<I", 0))
    return b"".join(parts)


def _many_strips() -> bytes:
    """A picture of a million strips, all of the same bytes."""
    count, head = 1_000_000, 8 + 4200
    numbers = struct.pack("<I", 8) * count + struct.pack("<I", 64) * count
    changed = {257: (4, 1, count), 273: (4, count, head), 278: (4, 1, 1), 279: (4, count, head + 4 * count)}
    entries = [(tag, *changed.get(tag, rest)) for tag, *rest in _PLAIN]
    body = b"II*\0" + struct.pack("<I", head + len(numbers)) + bytes(4200) + numbers
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return body + struct.pack("<H", len(entries)) + directory + bytes(4)


def _png(width: int, height: int, body: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


_seeds: dict[str, bytes] = {}


def seeds_once() -> dict[str, bytes]:
    """Return the good files, made once."""
    if not _seeds:
        _seeds.update(seeds())
    return _seeds


def run(count: int, seed: int, folder: Path) -> Told:
    """Restore `count` hostile files and more that were thought out; return what became of them."""
    chance = random.Random(seed)
    model = load_model(model_card("archive-3"), "cpu", 1)
    told = Told()
    for name, content in crafted().items():
        _try(folder / name, content, model, told)
    good = list(seeds_once().items())
    for number in range(count):
        name, content = good[number % len(good)]
        _try(folder / f"{number}-{name}", mutated(content, chance), model, told)
    return told


def _try(path: Path, content: bytes, model: LoadedModel, told: Told) -> None:
    path.write_bytes(content)
    out = path.with_name("out") / f"{path.name}.tif"
    out.parent.mkdir(exist_ok=True)
    began = time.monotonic()
    told.kinds[path.suffix] += 1
    try:
        made = restore(
            Input(path, limits=LIMITS),
            recipe_for(preset=Preset.FAST),
            Output(out),
            Compute(threads=1, model=model),
        )
    except (MasterError, ReaderFailed) as error:
        told.ends[error.code] += 1
        if not (error.reason and error.remedy):
            told.wrong.append(f"{path.name}: no reason or no remedy")
    except Transient as error:
        told.ends[error.code] += 1
        told.wrong.append(f"{path.name}: would be tried again for ever: {error.reason}")
    except Exception as error:  # noqa: BLE001  (that is what is looked for)
        told.wrong.append(f"{path.name}: {type(error).__name__}: {error}"[:300])
    else:
        told.ends["done"] += 1
        if made.luma_max_error:
            told.wrong.append(f"{path.name}: luma is {made.luma_max_error} off")
    seconds = time.monotonic() - began
    told.slowest = max(told.slowest, seconds)
    if seconds > PATIENCE:
        told.wrong.append(f"{path.name}: took {seconds:.0f} s")
    if path.read_bytes() != content:
        told.wrong.append(f"{path.name}: the master was changed")
    out.unlink(missing_ok=True)
    path.unlink()
    if left := [left.name for left in out.parent.iterdir()]:
        told.wrong.append(f"{path.name}: left {left} behind")


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--files", type=int, default=3_000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--json", type=Path)
    asked = words.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="saek-hostile-") as folder:
        told = run(asked.files, asked.seed, Path(folder))
    if asked.json:
        asked.json.write_text(json.dumps({"ends": told.ends, "kinds": told.kinds, "wrong": told.wrong}))
    for name, number in sorted(told.ends.items()):
        print(f"{name:<24}{number:>8,}")
    print(f"{'files':<24}{sum(told.kinds.values()):>8,}")
    print(f"{'slowest, s':<24}{told.slowest:>8.1f}")
    print(f"{'all, s':<24}{time.monotonic() - began:>8.0f}")
    print(f"{'wrong':<24}{len(told.wrong):>8,}")
    for line in told.wrong[:40]:
        print("  " + line)
    return 1 if told.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
