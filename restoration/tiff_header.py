"""What the first page of a TIFF is, and whether it is the only picture in the file.

tifffile reads the header, because libvips tells neither compression nor photometric interpretation nor what
the further pages are.
"""

import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import tifffile

from restoration.errors import TruncatedImage, UnsupportedImage
from restoration.facts import ScanFacts

LEAKS = (
    tifffile.TiffFileError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ZeroDivisionError,
    OverflowError,
    RuntimeError,
    MemoryError,
    struct.error,
    OSError,
)
"""What tifffile lets escape on malformed files."""

_LIBVIPS_COMPRESSIONS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}
"""None, CCITT, LZW, JPEG, Deflate, PackBits; ZSTD, LZMA and others are decoded by tifffile."""

_MODES = {0: "gray-inverted", 1: "gray", 2: "rgb", 3: "palette", 6: "rgb"}
_DEPTHS = {1, 2, 4, 8, 16}
_CENTIMETER = 3
_MOST_DIRECTORIES = 1_000
"""Of a TIFF: a picture with its reduced copies and masks. A chain of thousands is an attack on its reader."""
_REDUCED, _MASK = 1, 4


def read(file: io.BufferedReader, path: Path, size: int) -> ScanFacts:
    """Return the facts of the only picture in an open TIFF of `size` bytes.

    Raises TruncatedImage or UnsupportedImage.
    """
    try:
        file.seek(0)
        with tifffile.TiffFile(file, name=path.name) as tiff:
            pages = _pictures(tiff, path)
            page = tiff.pages.first
            _require_supported(page, pages, path)
            _require_data(page, path, size)
            return _facts(page, size)
    except LEAKS as error:
        raise TruncatedImage(
            reason=f"its TIFF header is damaged ({error})", remedy="copy or scan it again", path=path
        ) from error


def needs_second_reader(path: Path, file: io.BufferedReader) -> bool:
    """Whether libvips lacks the decoder for the first page's compression."""
    file.seek(0)
    with tifffile.TiffFile(file, name=path.name) as tiff:
        return int(tiff.pages.first.compression) not in _LIBVIPS_COMPRESSIONS


def _pictures(tiff: tifffile.TiffFile, path: Path) -> int:
    first = tiff.pages.first
    count = 0
    page: Any
    for number, page in enumerate(tiff.pages):
        if number >= _MOST_DIRECTORIES:
            raise UnsupportedImage(
                reason=f"it has more than {_MOST_DIRECTORIES:,} directories",
                remedy="export it as a single-page 8- or 16-bit gray or RGB TIFF",
                path=path,
            )
        kind = int(page.tags.valueof(254, 0))
        reduced = kind & (_REDUCED | _MASK) or _is_thumbnail(page, first)
        count += 0 if reduced else 1
    return count


def _is_thumbnail(page: Any, first: Any) -> bool:
    """Scanners write previews without the flag: a quarter of the pixels or less, same aspect."""
    if page.imagewidth * page.imagelength * 4 > first.imagewidth * first.imagelength:
        return False
    aspect = page.imagewidth * first.imagelength / (page.imagelength * first.imagewidth)
    return bool(abs(aspect - 1) < 0.05)


def _require_supported(page: Any, pages: int, path: Path) -> None:
    photometric, bits = int(page.photometric), page.bitspersample
    depth = max(bits) if isinstance(bits, tuple) else int(bits)
    reason = None
    if pages != 1:
        reason = f"it holds {pages} pictures" if pages else "its first page is only a preview"
    elif photometric not in _MODES:
        reason = f"its color space is {getattr(page.photometric, 'name', photometric)}"
    elif int(page.sampleformat) != 1:
        reason = "its samples are signed, floating point or complex numbers"
    elif depth not in _DEPTHS or (isinstance(bits, tuple) and len(set(bits)) > 1):
        reason = f"its samples have {bits} bits"
    elif page.imagedepth > 1:
        reason = "it is a volume, not a picture"
    elif int(page.samplesperpixel) > 4 or (photometric != 2 and photometric != 6 and _bands(page) > 2):  # noqa: PLR1714
        reason = f"it has {page.samplesperpixel} channels"
    if reason:
        raise UnsupportedImage(
            reason=reason, remedy="export it as a single-page 8- or 16-bit gray or RGB TIFF", path=path
        )


def _require_data(page: Any, path: Path, size: int) -> None:
    end = max((o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)
    if page.imagewidth < 1 or page.imagelength < 1 or end == 0 or end > size:
        raise TruncatedImage(
            reason=f"its pixel data end at byte {end:,}, the file at {size:,}",
            remedy="copy or scan it again",
            path=path,
        )


def _bands(page: Any) -> int:
    return int(page.samplesperpixel)


def _facts(page: Any, size: int) -> ScanFacts:
    mode = _MODES[int(page.photometric)]
    color = mode in {"rgb", "palette"}
    extra = _bands(page) - (3 if mode == "rgb" else 1)
    icc = page.tags.valueof(34675)
    orientation = page.tags.valueof(274, 1)
    bits = page.bitspersample
    return ScanFacts(
        format="tiff",
        width=int(page.imagewidth),
        height=int(page.imagelength),
        bands=(3 if color else 1) + extra,
        bit_depth=max(bits) if isinstance(bits, tuple) else int(bits),
        mode=mode,
        alpha=extra > 0,
        orientation=int(orientation) if orientation in range(1, 9) else 1,
        pages=1,
        icc_sha256=hashlib.sha256(icc).hexdigest() if isinstance(icc, bytes) else None,
        dpi=_dpi(page),
        file_bytes=size,
    )


def _dpi(page: Any) -> tuple[float, float] | None:
    x, y, unit = page.tags.valueof(282), page.tags.valueof(283), int(page.tags.valueof(296, 2))
    if not x or not y or unit == 1 or 0 in (*x, *y):
        return None
    factor = 2.54 if unit == _CENTIMETER else 1.0
    return round(x[0] / x[1] * factor, 4), round(y[0] / y[1] * factor, 4)
