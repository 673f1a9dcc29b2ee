"""What a master says about itself that has no place in a derivative, by name: nothing is lost in silence.

Names only, with the block that they stand in ("EXIF: FNumber"): values may be long, and the master keeps
them.
What describes the storage of the samples (size, compression, offsets) is no statement about the picture.
"""

import struct
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, BinaryIO, Final

from PIL import ExifTags, Image, TiffTags

from restoration.opening import open_master

_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 34665, 34853, 40965

STORAGE: Final = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284}
    | {288, 289, 292, 293, 296, 317, 320, 322, 323, 324, 325, 338, 339, 340, 341, 347, 512, 513, 514, 519}
    | {529, 530, 531, 532, 700, 33723, 34675, _EXIF_IFD, _GPS_IFD, _INTEROP_IFD}
)
"""TIFF tags that tell how the samples lie, or that are looked at by themselves."""

_EXIF_STORAGE: Final = STORAGE | {36864, 37121, 40960, 40961, 40962, 40963}
_PNG_STORAGE: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"sRGB", b"gAMA", b"cHRM", b"sBIT"}
    | {b"eXIf", b"acTL", b"fcTL", b"fdAT"}
)
PROFILE: Final = "ICC profile (not one for gray)"
_PNG_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_XMP_KEYWORD: Final = "XML:com.adobe.xmp"
_JPEG_HEADS: Final = (b"JFIF\0", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0", b"Adobe")
_APP_0, _COMMENT, _START_OF_SCAN = 0xE0, 0xFE, 0xDA
_IPTC_RESOURCE = 0x0404


def of_exif(block: bytes | None, known: frozenset[int]) -> Iterator[str]:
    """Yield what an EXIF block says besides the `known` tags. Raises what Pillow leaks on damage."""
    if not block:
        return
    exif = Image.Exif()
    exif.load(block)
    for code in exif:
        if code not in _EXIF_STORAGE | known:
            yield f"EXIF: {ExifTags.TAGS.get(code, str(code))}"
    for code in exif.get_ifd(_EXIF_IFD):
        if code not in _EXIF_STORAGE | known:
            yield f"EXIF: {ExifTags.TAGS.get(code, str(code))}"
    if exif.get_ifd(_GPS_IFD):
        yield "EXIF: GPS position"
    if exif.get_ifd(ExifTags.IFD.IFD1):
        yield "EXIF: thumbnail"


def of_tiff(page: Any, pages: int, known: frozenset[int]) -> Iterator[str]:
    """Yield what the first page of a TIFF says besides the `known` tags, and that there are further pages."""
    for tag in page.tags:
        code = int(tag.code)
        if code not in STORAGE | known:
            yield f"TIFF: {TiffTags.lookup(code).name if code in TiffTags.TAGS_V2 else tag.name or code}"
    exif = page.tags.valueof(_EXIF_IFD)
    for name in exif if isinstance(exif, dict) else ():
        codes = {k for k, v in ExifTags.TAGS.items() if v == name}
        if not codes & (_EXIF_STORAGE | known):
            yield f"EXIF: {name}"
    if page.tags.valueof(_GPS_IFD):
        yield "EXIF: GPS position"
    if pages > 1:
        yield f"TIFF: {pages - 1} reduced copies or masks"
    if page.tags.valueof(296, 2) == 1 and page.tags.valueof(282, (1, 1)) != (1, 1):
        yield "TIFF: resolution (without a unit)"


def of_iim(records: Iterator[tuple[int, int, bytes]], known: frozenset[int]) -> Iterator[str]:
    """Yield what IPTC-IIM says besides the `known` data sets of record 2; see `metadata.read`."""
    for record, dataset, _ in records:
        if record == 2 and dataset not in known | {0}:
            name = _IIM_NAMES.get(dataset, f"2:{dataset:03d}")
            yield f"IPTC-IIM: {name}"
        elif record > 2:
            yield f"IPTC-IIM: {record}:{dataset:03d}"


_IIM_NAMES: Final = {
    10: "Urgency",
    15: "Category",
    20: "Supplemental Category",
    40: "Special Instructions",
    60: "Time Created",
    62: "Digital Creation Date",
    63: "Digital Creation Time",
    65: "Originating Program",
    85: "By-line Title",
    92: "Sublocation",
    95: "Province/State",
    100: "Country Code",
    122: "Writer/Editor",
}


def of_container(path: Path, kind: str, known: Set[str]) -> Iterator[str]:
    """Yield what else a PNG or JPEG holds; `known` are the keywords of a PNG's texts that are carried.

    `PROFILE` is among them if the reader took the ICC profile: of a gray PNG it takes gray ones only.
    Raises what `open_master` raises; a container that ends early is read so far as it goes.
    """
    walk = {"png": _png_chunks, "jpeg": _jpeg_segments}.get(kind)
    if walk is None:
        return
    with open_master(path) as file:
        for name in walk(file):
            if name.removeprefix("PNG text: ") not in known:
                yield name


def _png_chunks(file: BinaryIO) -> Iterator[str]:
    file.seek(8)
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind in _PNG_TEXTS:
            text = file.read(min(length, 80))
            file.seek(length - len(text) + 4, 1)
            keyword = text.partition(b"\0")[0].decode("latin-1")
            if keyword != _XMP_KEYWORD:
                yield f"PNG text: {keyword}"
            continue
        if kind == b"iCCP":
            yield PROFILE
        elif kind not in _PNG_STORAGE:
            yield f"PNG: {kind.decode('latin-1')}"
        file.seek(length + 4, 1)


def _jpeg_segments(file: BinaryIO) -> Iterator[str]:
    file.seek(2)
    while len(header := file.read(4)) == 4 and header[0] == 0xFF and header[1] != _START_OF_SCAN:
        marker, length = header[1], struct.unpack(">H", header[2:])[0] - 2
        content = file.read(max(0, length))
        if marker == _COMMENT:
            yield "JPEG: comment"
        elif content.startswith(b"Photoshop 3.0\0"):
            if any(code != _IPTC_RESOURCE for code in _resources(content[14:])):
                yield "JPEG: Photoshop resources"
        elif _APP_0 <= marker < _APP_0 + 16 and not content.startswith(_JPEG_HEADS):
            label = content.partition(b"\0")[0][:32].decode("latin-1")
            printable = "".join(c for c in label if c.isprintable())
            yield f"JPEG: APP{marker - _APP_0} {printable}".strip()


def _resources(block: bytes) -> Iterator[int]:
    """Yield the number of each Photoshop image resource."""
    at = 0
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        code, name = struct.unpack_from(">HB", block, at + 4)
        at += 6 + (name + 2) // 2 * 2
        if at + 4 > len(block):
            return
        at += 4 + (struct.unpack_from(">I", block, at)[0] + 1) // 2 * 2
        yield code
