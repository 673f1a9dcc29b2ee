"""How colored strips become a file: TIFF, PNG or JPEG, streamed, with profile, resolution and disclosure."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import imagecodecs
import numpy as np
import pyvips
import tifffile
from PIL import Image

from restoration import png
from restoration.color import Gray
from restoration.disclosure import STATEMENTS
from restoration.facts import ScanFacts
from restoration.jpeg import JpegStream
from restoration.metadata import MasterMetadata
from restoration.reading import strip_rows
from restoration.recipe import OutputFormat, Recipe

_CLASSIC_TIFF_BYTES: Final = 4_000_000_000
_PNG_LEVEL: Final = 4
_TIFF_LEVEL: Final = 6
_ENCODERS: Final = 2
_TIFF_STRIP_BYTES: Final = 1 << 18
_EXIF_PREFIX: Final = b"Exif\0\0"

Samples = Iterator[Gray]
"""Strips (h, W, 3 or 4) from top to bottom, each `strip_rows` high but the last."""


@dataclass(frozen=True, slots=True)
class Label:
    """What is written beside the pixels."""

    xmp: bytes
    dpi: tuple[float, float] | None
    """Along width and height of the upright picture."""
    software: str
    master: MasterMetadata


def bit_depth(facts: ScanFacts, recipe: Recipe) -> int:
    """Return the bits a sample of the derivative: the master's own, 8 for JPEG."""
    return 8 if recipe.format is OutputFormat.JPEG else facts.depth


def write(path: Path, size: tuple[int, int], samples: Samples, recipe: Recipe, label: Label) -> None:
    """Write one derivative of `size` (width, height) to `path`. Raises OSError."""
    writer = {OutputFormat.TIFF: _write_tiff, OutputFormat.PNG: _write_png, OutputFormat.JPEG: _write_jpeg}
    writer[recipe.format](path, size, samples, recipe, label)


def srgb_profile() -> bytes:
    """Return the sRGB profile of libvips: a matrix and a curve, right for any depth."""
    return bytes(pyvips.Operation.call("profile_load", "srgb"))


def _write_tiff(path: Path, size: tuple[int, int], samples: Samples, recipe: Recipe, label: Label) -> None:
    del recipe
    width, height = size
    first = next(samples)
    bands = first.shape[2]
    rows = _rows_per_strip(width, height, width * bands * first.itemsize)
    raw = width * height * bands * first.itemsize
    with tifffile.TiffWriter(path, bigtiff=raw > _CLASSIC_TIFF_BYTES, byteorder="<") as tiff:
        tiff.write(
            _encoded(_cut(first, samples, rows)),
            shape=(height, width, bands),
            dtype=first.dtype,
            photometric="rgb",
            planarconfig="contig",
            extrasamples=["unassalpha"] if bands == 4 else None,
            rowsperstrip=rows,
            compression="adobe_deflate",  # the strips come encoded
            predictor=True,
            iccprofile=srgb_profile(),
            resolution=label.dpi,
            resolutionunit="INCH" if label.dpi else None,
            software=label.software,
            description=_description(label.master).encode(),
            metadata=None,
            extratags=_tiff_tags(label),
        )


def _rows_per_strip(width: int, height: int, row_bytes: int) -> int:
    """Return a divisor of `strip_rows`, so that each strip of ours is a whole number of the file's."""
    rows = strip_rows(width, height)
    wanted = max(1, _TIFF_STRIP_BYTES // row_bytes)
    return next(n for n in range(min(rows, wanted), 0, -1) if rows % n == 0)


def _cut(first: Gray, rest: Samples, rows: int) -> Iterator[Gray]:
    for strip in _chained(first, rest):
        for top in range(0, len(strip), rows):
            yield strip[top : top + rows]


def _encoded(strips: Iterator[Gray]) -> Iterator[bytes]:
    """Compress strips in their order, a few at a time in other threads (the codecs release the lock)."""
    with ThreadPoolExecutor(_ENCODERS, "deflate") as pool:
        waiting: deque[Future[bytes]] = deque()
        try:
            for strip in strips:
                waiting.append(pool.submit(_encode, strip))
                if len(waiting) > 4 * _ENCODERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _encode(strip: Gray) -> bytes:
    differences = imagecodecs.delta_encode(np.ascontiguousarray(strip), axis=1)
    return bytes(imagecodecs.deflate_encode(differences.tobytes(), level=_TIFF_LEVEL))


def _chained(first: Gray, rest: Samples) -> Iterator[Gray]:
    yield first
    yield from rest


def _tiff_tags(label: Label) -> list[tuple[int, int, int, object, bool]]:
    tags: list[tuple[int, int, int, object, bool]] = [
        (274, 3, 1, 1, True),
        (700, 1, len(label.xmp), label.xmp, True),
    ]
    for code, name in ((315, "dc:creator"), (33432, "dc:rights")):
        if texts := label.master.fields.get(name):
            tags.append((code, 2, 0, "; ".join(texts).encode() + b"\0", True))
    return tags


def _write_png(path: Path, size: tuple[int, int], samples: Samples, recipe: Recipe, label: Label) -> None:
    del recipe
    chunks = [png.icc_chunk(srgb_profile(), "sRGB"), png.exif_chunk(_exif(label))]
    if label.dpi:
        chunks.append(png.resolution_chunk(label.dpi))
    chunks.append(png.xmp_chunk(label.xmp))
    with path.open("wb") as file:
        stream = png.PngStream(file.write, *size, chunks=chunks, level=_PNG_LEVEL)
        for strip in samples:
            stream.add(strip)
        stream.close()


def _write_jpeg(path: Path, size: tuple[int, int], samples: Samples, recipe: Recipe, label: Label) -> None:
    blobs = {"exif-data": _EXIF_PREFIX + _exif(label), "xmp-data": label.xmp}
    with JpegStream(
        path, *size, quality=recipe.quality, profile=srgb_profile(), dpi=label.dpi, blobs=blobs
    ) as stream:
        for strip in samples:
            stream.add(strip)


def _exif(label: Label) -> bytes:
    """Return EXIF in its TIFF form: upright, described, with the master's creator, rights and date."""
    exif = Image.Exif()
    exif[274] = 1
    exif[270] = _description(label.master)
    exif[305] = label.software
    for code, name in ((315, "dc:creator"), (33432, "dc:rights")):
        if texts := label.master.fields.get(name):
            exif[code] = "; ".join(texts)
    if texts := label.master.fields.get("exif:DateTimeOriginal"):
        exif.get_ifd(34665)[36867] = texts[0]
    return exif.tobytes().removeprefix(_EXIF_PREFIX)


def _description(master: MasterMetadata) -> str:
    caption = master.fields.get("dc:description", ("",))[0]
    return f"{STATEMENTS['en']} | {caption}" if caption else STATEMENTS["en"]


def to_8_bit(samples: Gray) -> Gray:
    """Return uint8 samples; 16-bit ones are divided by 257 and rounded, so that white stays white."""
    if samples.dtype == np.uint8:
        return samples
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
