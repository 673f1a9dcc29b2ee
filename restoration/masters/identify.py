"""Which image a file is, told from its first bytes and its header, without decoding a pixel."""

import hashlib
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import pyvips

from restoration.errors import ImageTooLarge, NotAnImage, TruncatedImage, UnsupportedImage
from restoration.masters import pnm
from restoration.masters.facts import Limits, ScanFacts
from restoration.masters.jpeg import markers, repair
from restoration.masters.patched_file import Part, PatchedFile, vips_source
from restoration.masters.png import chunks
from restoration.masters.safe_open import open_master, open_source
from restoration.masters.tiff import header

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
    *((b"P%d" % kind, "pnm") for kind in range(1, 7)),
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
    (b"P7\n", "PAM"),
    (b"Pf\n", "PFM"),
    (b"PF\n", "PFM"),
    (b"SIMPLE  =", "FITS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\0\0\1\0", "Windows icon"),
    (b"\x0a\x05\x01", "PCX"),
    (b"gimp xcf", "GIMP"),
)
"""Formats that are told apart only to say how to go on."""

_CAMERAS: Final = (
    (b"FUJIFILMCCD-RAW", "Fujifilm RAF"),
    (b"IIRO", "Olympus ORF"),
    (b"IIRS", "Olympus ORF"),
    (b"MMOR", "Olympus ORF"),
    (b"IIU\0", "Panasonic RW2"),
    (b"FOVb", "Sigma X3F"),
    (b"\0MRM", "Minolta MRW"),
    (b"ARRI", "ARRI"),
)
_BRANDS: Final[Mapping[bytes, str]] = {
    b"heic": "HEIF",
    b"heix": "HEIF",
    b"heim": "HEIF",
    b"heis": "HEIF",
    b"hevc": "HEIF",
    b"hevx": "HEIF",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
    b"avif": "AVIF",
    b"avis": "AVIF",
}
"""Of files of the ISO base media format; others are films."""


_NAMES: Final = re.compile(r"^(?:\w+:(?:\s+|$))+")
"""What libvips and libtiff say first: which of their functions complains."""
_CALLS: Final = re.compile(r"unable to\b|images do not match between|libs?png (?:read )?error$")
"""What says nothing of the file."""


def identify(path: Path, limits: Limits = Limits()) -> ScanFacts:  # noqa: B008 - frozen
    """Return what the header of the master at `path` says.

    Raises MissingFile, UnsafeFile, UnreadableFile, EmptyFile, NotAnImage, UnsupportedImage, TruncatedImage or
    ImageTooLarge.
    """
    with open_master(path) as file:
        head = file.read(32)
        size = file.seek(0, 2)
        kind = _kind(head, path)
        if kind == "jpeg":
            markers.refuse_unsupported(file, path)
        odd = chunks.check_chunks(file, path) if kind == "png" else ()
        if kind == "tiff":
            facts = header.read_facts(file, path, size)
        elif kind == "pnm":
            facts = _pnm_facts(file, path, size)
        else:
            facts = _vips_facts(kind, path, size)
    facts = replace(facts, notes=(*facts.notes, *odd))
    return _within(facts, limits, path)


def load(path: Path, facts: ScanFacts) -> pyvips.Image:
    """Return the undecoded image of an identified master, to be read once, top to bottom.

    Damage of any kind is an error when the pixels are asked for (pyvips.Error), never a gray area.
    """
    return _load(facts.format, path)[0]


def load_pieces(file: BufferedReader, pieces: Sequence[Part], fail_on: str = "warning") -> pyvips.Image:
    """Return the undecoded image that the pieces of an open file make up; see `load`."""
    source = vips_source(PatchedFile(file, pieces))
    pyvips.vips_lib.vips_error_clear()  # of what it warned of in a file before this one
    return pyvips.Image.new_from_source(source, "", access="sequential", fail_on=fail_on)


def _load(kind: str, path: Path) -> tuple[pyvips.Image, tuple[str, ...]]:
    """Return the image, and what was odd about its header and is left out of what libvips is shown."""
    pyvips.vips_lib.vips_error_clear()
    try:
        image = pyvips.Operation.call(
            _LOADERS[kind], open_source(path), access="sequential", fail_on="warning"
        )
    except pyvips.Error:
        if kind != "jpeg":
            raise
        with open_master(path) as file:
            mended = repair.repair_header(file)
            if mended is None:
                raise
            return load_pieces(file, mended.pieces), mended.notes
    return image, ()


def _kind(head: bytes, path: Path) -> str:
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    for signature, name in _FOREIGN:
        if head.startswith(signature):
            raise unsupported(path, f"it is a {name} file")
    for signature, name in _CAMERAS:
        if head.startswith(signature):
            raise camera_raw(path, name)
    if head[4:8] == b"ftyp":
        if head[8:12] == b"crx ":
            raise camera_raw(path, "Canon CR3")
        if head[8:12] in _BRANDS:
            raise unsupported(path, f"it is a {_BRANDS[head[8:12]]} file")
    raise NotAnImage(
        reason="its first bytes are those of no known image format",
        remedy="look whether it is a picture at all; if so, convert it to TIFF",
        path=path,
    )


def camera_raw(path: Path, name: str) -> UnsupportedImage:
    """Return the error for what a camera stores before it makes a picture of it."""
    return UnsupportedImage(
        reason=f"it is a camera raw file ({name})",
        remedy="develop it in a raw converter, and export it as an 8- or 16-bit gray or RGB TIFF",
        path=path,
    )


def unsupported(path: Path, reason: str) -> UnsupportedImage:
    """Return the error for an image of a kind that is not restored."""
    return UnsupportedImage(reason=reason, remedy="convert it to an 8- or 16-bit gray or RGB TIFF", path=path)


def _vips_facts(kind: str, path: Path, size: int) -> ScanFacts:
    try:
        image, notes = _load(kind, path)
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
        notes=notes,
    )


def _pnm_facts(file: BufferedReader, path: Path, size: int) -> ScanFacts:
    found = pnm.read_header(file, path)
    return ScanFacts(
        format="pnm",
        width=found.width,
        height=found.height,
        bands=found.bands,
        bit_depth=1 if found.kind in pnm.BITMAP else 16 if found.most > 255 else 8,
        mode="rgb" if found.bands == 3 else "gray",
        alpha=False,
        orientation=1,
        pages=1,
        icc_sha256=None,
        dpi=None,
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
        for chunk in chunks.read_chunks(file):
            if chunk.kind == b"pHYs" and chunk.length == 9 and chunk.sound:
                x, y, unit = struct.unpack(">IIB", file.read(9))
                return (round(x * 0.0254, 4), round(y * 0.0254, 4)) if unit == 1 and x and y else None
            if chunk.kind == b"IDAT":
                return None
    return None


def first_line(error: Exception) -> str:
    """Return what a library said first, on one line, without the names of its parts and calls."""
    lines = (_NAMES.sub("", line.strip()) for line in str(error).splitlines())
    return next((line for line in lines if line and not _CALLS.match(line)), "their decoder says no more")
