"""Which image a file is, told from its first bytes and its header, without decoding a pixel."""

import hashlib
import struct
from pathlib import Path
from typing import Any

import pyvips

from restoration import tiff_header
from restoration.errors import ImageTooLarge, NotAnImage, TruncatedImage, UnsupportedImage
from restoration.facts import Limits, ScanFacts
from restoration.opening import open_master, open_source

pyvips.block_untrusted_set(True)
pyvips.cache_set_max(0)  # a cached operation would keep a finished master open

_MOST_COMPRESSION = 1_200
"""Deflate reaches 1,032:1 at most, JPEG and LZW of a blank page less: a header that claims more is a lie."""

_LOADERS = {
    "png": "pngload_source",
    "jpeg": "jpegload_source",
    "webp": "webpload_source",
    "gif": "gifload_source",
}

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"BM", "BMP"),
    (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"AT&TFORM", "DjVu"),
)
"""Formats that are told apart only to say how to go on."""


def identify(path: Path, limits: Limits = Limits()) -> ScanFacts:  # noqa: B008 - frozen
    """Return what the header of the master at `path` says.

    Raises MissingFile, UnsafeFile, UnreadableFile, EmptyFile, NotAnImage, UnsupportedImage, TruncatedImage or
    ImageTooLarge.
    """
    with open_master(path) as file:
        head = file.read(32)
        size = file.seek(0, 2)
        kind = _kind(head, path)
        facts = tiff_header.read(file, path, size) if kind == "tiff" else _vips_facts(kind, path, size)
    return _within(facts, limits, path)


def load(path: Path, facts: ScanFacts) -> pyvips.Image:
    """Return the undecoded image of an identified master, to be read once, top to bottom.

    Damage of any kind is an error when the pixels are asked for (pyvips.Error), never a gray area.
    """
    return _load(facts.format, path)


def _load(kind: str, path: Path) -> pyvips.Image:
    operation = _LOADERS.get(kind, "tiffload_source")
    return pyvips.Operation.call(operation, open_source(path), access="sequential", fail_on="warning")


def _kind(head: bytes, path: Path) -> str:
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    for signature, name in _FOREIGN:
        if head.startswith(signature):
            raise unsupported(path, f"it is a {name} file")
    if head[4:8] == b"ftyp":
        raise unsupported(path, "it is a HEIF or AVIF file")
    raise NotAnImage(
        reason="its first bytes are those of no known image format",
        remedy="look whether it is a picture at all; if so, convert it to TIFF",
        path=path,
    )


def unsupported(path: Path, reason: str) -> UnsupportedImage:
    """Return the error for an image of a kind that is not restored."""
    return UnsupportedImage(reason=reason, remedy="convert it to an 8- or 16-bit gray or RGB TIFF", path=path)


def _vips_facts(kind: str, path: Path, size: int) -> ScanFacts:
    try:
        image = _load(kind, path)
    except pyvips.Error as error:
        raise TruncatedImage(
            reason=f"its header cannot be read ({first_line(error)})",
            remedy="copy or scan it again",
            path=path,
        ) from error
    pages = int(_field(image, "n-pages", 1))
    if pages > 1:
        raise unsupported(path, f"it holds {pages} pictures")
    if image.interpretation not in {"b-w", "grey16", "srgb", "rgb16", "rgb"}:
        raise unsupported(path, f"its color space is {image.interpretation}")
    icc = _field(image, "icc-profile-data", None)
    palette = bool(_field(image, "palette", 0))
    bands = int(image.bands)
    return ScanFacts(
        format=kind,
        width=int(image.width),
        height=int(image.height),
        bands=bands,
        bit_depth=16 if image.format == "ushort" else min(8, int(_field(image, "bits-per-sample", 8))),
        mode="palette" if palette else "gray" if bands <= 2 else "rgb",
        alpha=bands in {2, 4},
        orientation=_orientation(_field(image, "orientation", 1)),
        pages=1,
        icc_sha256=None if icc is None else hashlib.sha256(icc).hexdigest(),
        dpi=_dpi(kind, image, path),
        file_bytes=size,
    )


def _within(facts: ScanFacts, limits: Limits, path: Path) -> ScanFacts:
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
        raise TruncatedImage(
            reason=f"its header claims {size}, but the file holds only {facts.file_bytes:,} bytes: "
            "less than any compression leaves of that",
            remedy="copy it again from its source",
            path=path,
        )
    return facts


def _field(image: pyvips.Image, name: str, default: Any) -> Any:
    return image.get(name) if image.get_typeof(name) else default


def _orientation(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _dpi(kind: str, image: pyvips.Image, path: Path) -> tuple[float, float] | None:
    if kind == "png":
        return _png_dpi(path)
    if image.get_typeof("resolution-unit"):
        return round(image.xres * 25.4, 4), round(image.yres * 25.4, 4)
    return None


def _png_dpi(path: Path) -> tuple[float, float] | None:
    """Look for pHYs: libvips gives 72 dpi for a PNG that tells none."""
    with open_master(path) as file:
        file.seek(8)
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if kind == b"pHYs" and length == 9:
                x, y, unit = struct.unpack(">IIB", file.read(9))
                return (round(x * 0.0254, 4), round(y * 0.0254, 4)) if unit == 1 and x and y else None
            if kind == b"IDAT":
                return None
            file.seek(length + 4, 1)
    return None


def first_line(error: Exception) -> str:
    """Return what a library said, on one line, without the calls it names first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    detail = [line for line in lines if not line.startswith("unable to")]
    return (detail or lines or ["no detail"])[0]
