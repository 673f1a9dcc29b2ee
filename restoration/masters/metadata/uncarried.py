"""Uncarried metadata: the names of what a master says that its derivative does not carry.

Only the names are listed, with their block ("EXIF: FNumber"): values may be long, and the master keeps them.
Tags about the storage of the samples (size, compression, offsets) are not metadata of the picture.
"""

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from PIL import ExifTags, Image, TiffTags

from restoration.masters.metadata.iptc import DataSet

_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 34665, 34853, 40965

STORAGE: Final = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284}
    | {288, 289, 292, 293, 296, 317, 320, 322, 323, 324, 325, 338, 339, 340, 341, 347, 512, 513, 514, 519}
    | {529, 530, 531, 532, 700, 33723, 34675, _EXIF_IFD, _GPS_IFD, _INTEROP_IFD}
)
"""TIFF tags about the storage of samples, or that are read separately."""

_EXIF_STORAGE: Final = STORAGE | {36864, 37121, 40960, 40961, 40962, 40963}


def exif_entries(block: bytes | None, known: frozenset[int]) -> Iterator[str]:
    """Yield the names in an EXIF block except the `known` tags. Raises any error of Pillow at damage."""
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


def tiff_entries(page: Any, pages: int, known: frozenset[int]) -> Iterator[str]:
    """Yield the names of the tags of a TIFF page except the `known` ones, and the number of further pages."""
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


def iim_entries(records: Iterable[DataSet], known: frozenset[int]) -> Iterator[str]:
    """Yield the names of IPTC-IIM data sets except the `known` ones of record 2."""
    for one in records:
        if one.record == 2 and one.dataset not in known | {0}:
            name = _IIM_NAMES.get(one.dataset, f"2:{one.dataset:03d}")
            yield f"IPTC-IIM: {name}"
        elif one.record > 2:
            yield f"IPTC-IIM: {one.record}:{one.dataset:03d}"


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


def gif_entries(file: BinaryIO) -> Iterator[str]:
    """Yield the names of the extensions of a GIF, up to any damage."""
    head = file.read(13)
    if len(head) < 13:
        return
    file.seek(3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0, 1)
    while len(kind := file.read(1)) == 1:
        if kind == b",":
            picture = file.read(9)
            if len(picture) < 9:
                return
            file.seek((3 << (picture[8] & 7) + 1 if picture[8] & 0x80 else 0) + 1, 1)
            _skip_blocks(file)
        elif kind == b"!":
            label = file.read(1)
            first = _skip_blocks(file)
            if label == b"\xfe":
                yield "GIF: comment"
            elif label == b"\xff" and first[:11] not in {b"NETSCAPE2.0", b"ANIMEXTS1.0"}:
                yield f"GIF: {first[:11].decode('latin-1')}"
        else:
            return


def _skip_blocks(file: BinaryIO) -> bytes:
    """Skip a chain of blocks, and return the first."""
    first = None
    while size := int.from_bytes(file.read(1)):
        content = file.read(size)
        first = content if first is None else first
    return first or b""
