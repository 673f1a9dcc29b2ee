"""File formats, recognized by their first bytes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from restoration.errors import NotAnImage
from restoration.masters.refusals import camera_raw, unsupported

HEAD_BYTES: Final = 32
"""Number of bytes that `detect_format` needs."""

_SIGNATURES: Final = (
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

_UNSUPPORTED: Final = (
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
"""Formats that are named in the refusal."""

_CAMERA_RAW: Final = (
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
"""Brands of ISO base media files (ISO/IEC 14496-12) that hold images; the others are videos."""


def detect_format(head: bytes, path: Path) -> str:
    """Return tiff, png, jpeg, webp, gif or pnm for the first `HEAD_BYTES` bytes of a file.

    Raises UnsupportedImage for another known image format, or NotAnImage.
    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    for signature, name in _UNSUPPORTED:
        if head.startswith(signature):
            raise unsupported(path, f"it is a {name} file")
    for signature, name in _CAMERA_RAW:
        if head.startswith(signature):
            raise camera_raw(path, name)
    if head[4:8] == b"ftyp":
        if head[8:12] == b"crx ":
            raise camera_raw(path, "Canon CR3")
        if head[8:12] in _BRANDS:
            raise unsupported(path, f"it is a {_BRANDS[head[8:12]]} file")
    raise NotAnImage(
        reason="its first bytes match no known image format",
        remedy="check whether it is a picture at all; if it is, convert it to TIFF",
        path=path,
    )
