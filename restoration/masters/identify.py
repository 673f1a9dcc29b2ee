"""Header of a master: which image it is, without decoding a pixel."""

import hashlib
import struct
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import pyvips

from restoration.errors import ImageTooLarge
from restoration.masters import libvips, pnm
from restoration.masters.facts import Limits, ScanFacts
from restoration.masters.jpeg import markers
from restoration.masters.png import chunks
from restoration.masters.refusals import truncated, unsupported
from restoration.masters.safe_open import open_master
from restoration.masters.signatures import HEAD_BYTES, detect_format
from restoration.masters.tiff.facts import read_facts

_MOST_COMPRESSION: Final = 1_200
"""Deflate reaches 1,032:1 at most, JPEG and LZW of a blank page less: a header that claims more is wrong."""


def identify(path: Path, limits: Limits = Limits()) -> ScanFacts:  # noqa: B008 - frozen
    """Return what the header of the master at `path` says.

    Raises MissingFile, UnsafeFile, UnreadableFile, EmptyFile, NotAnImage, UnsupportedImage, TruncatedImage or
    ImageTooLarge.
    """
    with open_master(path) as file:
        head = file.read(HEAD_BYTES)
        size = file.seek(0, 2)
        file_format = detect_format(head, path)
        if file_format == "tiff":
            facts = read_facts(file, path, size)
        elif file_format == "pnm":
            facts = _pnm_facts(file, path, size)
        elif file_format == "png":
            notes = chunks.check_chunks(file, path)
            facts = _libvips_facts(file_format, path, size)
            facts = replace(facts, notes=(*facts.notes, *notes))
        else:
            if file_format == "jpeg":
                markers.refuse_unsupported(file, path)
            facts = _libvips_facts(file_format, path, size)
    _require_within(facts, limits, path)
    return facts


def _libvips_facts(file_format: str, path: Path, size: int) -> ScanFacts:
    try:
        image, notes = libvips.load_with_notes(file_format, path)
    except pyvips.Error as error:
        raise truncated(path, f"its header cannot be read ({libvips.first_line(error)})") from error
    pages = int(_field(image, "n-pages", 1))
    if pages > 1:
        raise unsupported(path, f"it holds {pages} pictures")
    if image.interpretation not in {"b-w", "grey16", "srgb", "rgb16", "rgb"}:
        raise unsupported(path, f"its color space is {image.interpretation}")
    icc = _field(image, "icc-profile-data", None)
    palette = bool(_field(image, "palette", 0))
    bands = int(image.bands)
    orientation = _field(image, "orientation", 1)
    return ScanFacts(
        format=file_format,
        width=int(image.width),
        height=int(image.height),
        bands=bands,
        bit_depth=16 if image.format == "ushort" else min(8, int(_field(image, "bits-per-sample", 8))),
        mode="palette" if palette else "gray" if bands <= 2 else "rgb",
        alpha=bands in {2, 4},
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        pages=1,
        icc_sha256=None if icc is None else hashlib.sha256(icc).hexdigest(),
        dpi=_png_dpi(path) if file_format == "png" else _dpi(image),
        file_bytes=size,
        notes=notes,
    )


def _pnm_facts(file: BufferedReader, path: Path, size: int) -> ScanFacts:
    found = pnm.read_header(file, path)
    return ScanFacts(
        format="pnm",
        width=found.width,
        height=found.height,
        bands=found.bands,
        bit_depth=1 if found.kind in pnm.BITMAP else 16 if found.white > 255 else 8,
        mode="rgb" if found.bands == 3 else "gray",
        alpha=False,
        orientation=1,
        pages=1,
        icc_sha256=None,
        dpi=None,
        file_bytes=size,
    )


def _require_within(facts: ScanFacts, limits: Limits, path: Path) -> None:
    """Raise ImageTooLarge above the limits, TruncatedImage if the file is too small for what it claims."""
    size = f"{facts.width} x {facts.height} pixels"
    decoded = facts.pixels * facts.bands * (facts.depth // 8)
    if facts.pixels > limits.max_pixels or decoded > limits.max_bytes:
        raise ImageTooLarge(
            reason=f"its header claims {size}, {decoded / 1e9:,.1f} GB decoded; "
            f"the limits are {limits.max_pixels:,} pixels and {limits.max_bytes / 1e9:,.1f} GB",
            remedy="raise the limits if it really is that large",
            path=path,
        )
    if facts.bit_depth >= 8 and decoded > _MOST_COMPRESSION * facts.file_bytes + 65536:
        raise truncated(
            path,
            f"its header claims {size}, but the file has only {facts.file_bytes:,} bytes: "
            "less than any compression would leave",
            "copy it again from its source",
        )


def _field(image: pyvips.Image, name: str, default: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else default


def _dpi(image: pyvips.Image) -> tuple[float, float] | None:
    if image.get_typeof("resolution-unit"):
        return round(image.xres * 25.4, 4), round(image.yres * 25.4, 4)
    return None


def _png_dpi(path: Path) -> tuple[float, float] | None:
    """Return the resolution of the chunk pHYs: libvips gives 72 dpi for a PNG without one."""
    with open_master(path) as file:
        for chunk in chunks.read_chunks(file):
            if chunk.kind == b"pHYs" and chunk.length == 9 and chunk.sound:
                x, y, unit = struct.unpack(">IIB", file.read(9))
                return (round(x * 0.0254, 4), round(y * 0.0254, 4)) if unit == 1 and x and y else None
            if chunk.kind == b"IDAT":
                return None
    return None
