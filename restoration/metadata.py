"""What a master says about itself (creator, rights, caption...) in EXIF, IPTC-IIM, XMP and TIFF tags."""

import struct
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyvips
import tifffile
from PIL import Image

from restoration import leftovers, tiff_header
from restoration.facts import ScanFacts
from restoration.opening import open_master
from restoration.scan import load

_EXIF_IFD = 34665
_EXIF_TAGS = {
    270: "dc:description",
    269: "dc:title",
    315: "dc:creator",
    33432: "dc:rights",
    36867: "exif:DateTimeOriginal",
}
_IIM_RECORDS = {
    5: "dc:title",
    25: "dc:subject",
    55: "photoshop:DateCreated",
    80: "dc:creator",
    90: "photoshop:City",
    101: "photoshop:Country",
    103: "photoshop:TransmissionReference",
    105: "photoshop:Headline",
    110: "photoshop:Credit",
    115: "photoshop:Source",
    116: "dc:rights",
    120: "dc:description",
}
_PNG_TEXTS = {
    "Title": "dc:title",
    "Author": "dc:creator",
    "Description": "dc:description",
    "Copyright": "dc:rights",
    "Source": "photoshop:Source",
}
_PHOTOSHOP = 34377
_CARRIED_TAGS = frozenset(_EXIF_TAGS)
_CARRIED_IIM = frozenset(_IIM_RECORDS)
_LEAKS = (ValueError, SyntaxError, KeyError, TypeError, IndexError, AttributeError, struct.error, OSError)
"""What Pillow lets escape on a damaged block."""


@dataclass(frozen=True, slots=True)
class MasterMetadata:
    """The descriptive metadata of a master, as XMP would name them."""

    xmp: bytes | None = None
    """Its XMP packet, not yet parsed."""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What EXIF, TIFF tags and IPTC-IIM say, by XMP property."""
    unread: tuple[str, ...] = ()
    """Blocks that are there but damaged."""
    left_out: tuple[str, ...] = ()
    """What else it says, by block and name: it has no place in a derivative."""


def read(path: Path, facts: ScanFacts) -> MasterMetadata:
    """Return the descriptive metadata of an identified master; damaged blocks are named, never fatal.

    Where two blocks tell the same property otherwise, TIFF tags and PNG texts hold before IPTC-IIM, and that
    before EXIF; what does not hold is named.
    """
    blocks = _tiff_blocks(path) if facts.format == "tiff" else _vips_blocks(path, facts)
    fields: dict[str, tuple[str, ...]] = {}
    origins: dict[str, str] = {}
    unread = []
    left_out = list(blocks.left_out)
    for label, reader in (
        ("EXIF", lambda: (dict(_from_exif(blocks.exif)), leftovers.of_exif(blocks.exif, _CARRIED_TAGS))),
        ("IPTC-IIM", lambda: (_from_iim(blocks.iptc), leftovers.of_iim(_records(blocks.iptc), _CARRIED_IIM))),
        (facts.format.upper(), lambda: (blocks.texts, ())),
    ):
        try:
            with warnings.catch_warnings(record=True) as complaints:
                warnings.simplefilter("always")
                found, left = reader()
                left_out.extend(left)
        except _LEAKS:
            unread.append(f"{label} (damaged)")
            continue
        if complaints:
            unread.append(f"{label} (damaged in part)")
        for name, texts in found.items():
            if fields.get(name, texts) != texts:
                left_out.append(f"{origins[name]}: {name} (the {label} says otherwise)")
            fields[name], origins[name] = texts, label
    return MasterMetadata(blocks.xmp, fields, tuple(unread), tuple(dict.fromkeys(left_out)))


@dataclass(frozen=True, slots=True)
class _Blocks:
    exif: bytes | None = None
    iptc: bytes | None = None
    xmp: bytes | None = None
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def _vips_blocks(path: Path, facts: ScanFacts) -> _Blocks:
    image = load(path, facts)

    def block(name: str) -> bytes | None:
        return bytes(image.get(name)) if image.get_typeof(name) == pyvips.GValue.blob_type else None

    texts, keywords = {}, set()
    for name in image.get_fields():
        keyword = name.partition("png-comment-")[2].partition("-")[2]  # png-comment-0-Title
        if keyword in _PNG_TEXTS and (text := _clean(image.get(name))):
            texts[_PNG_TEXTS[keyword]] = (text,)
            keywords.add(keyword)
    if facts.icc_sha256:
        keywords.add(leftovers.PROFILE)
    left_out = list(leftovers.of_container(path, facts.format, keywords))
    if image.get_typeof("gif-comment"):
        left_out.append("GIF: comment")
    return _Blocks(block("exif-data"), block("iptc-data"), block("xmp-data"), texts, tuple(left_out))


def _tiff_blocks(path: Path) -> _Blocks:
    with open_master(path) as file, tifffile.TiffFile(file, name=path.name) as tiff:
        page = tiff.pages.first
        tags = page.tags
        texts = {}
        for code, name in _EXIF_TAGS.items():
            text = _clean(tags.valueof(code))
            if text:
                texts[name] = (text,)
        try:
            original = _clean((tags.valueof(_EXIF_IFD) or {}).get("DateTimeOriginal"))
            left_out = tuple(leftovers.of_tiff(page, len(tiff.pages), _CARRIED_TAGS))
        except tiff_header.LEAKS:
            original, left_out = "", ("EXIF (damaged)",)
        if original:
            texts["exif:DateTimeOriginal"] = (original,)
        iptc = _bytes(tags.valueof(33723)) or _bytes(tags.valueof(_PHOTOSHOP))
        return _Blocks(None, iptc, _bytes(tags.valueof(700)), texts, left_out)


def _bytes(value: object) -> bytes | None:
    """IPTC in a TIFF is often declared as 32-bit words."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple) and all(isinstance(v, int) and 0 <= v < 1 << 32 for v in value):
        return struct.pack(f"<{len(value)}I", *value) if max(value, default=0) > 255 else bytes(value)
    return None


def _from_exif(block: bytes | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not block:
        return
    exif = Image.Exif()
    exif.load(block)
    values = {**exif, **exif.get_ifd(_EXIF_IFD)}
    for code, name in _EXIF_TAGS.items():
        text = _clean(values.get(code))
        if text:
            yield name, (text,)


def _from_iim(block: bytes | None) -> dict[str, tuple[str, ...]]:
    """Return the application records of IPTC-IIM 4.2 that have a place in XMP."""
    found: dict[str, tuple[str, ...]] = {}
    for record, dataset, value in _records(block):
        if record == 2 and dataset in _IIM_RECORDS and (text := _clean(value)):
            name = _IIM_RECORDS[dataset]
            found[name] = (*found.get(name, ()), text)
    return found


def _records(block: bytes | None) -> Iterator[tuple[int, int, bytes]]:
    """Yield record, data set and value, wherever in the block they begin. Raises struct.error."""
    if not block:
        return
    at = min((i for i in (block.find(b"\x1c\x01"), block.find(b"\x1c\x02")) if i >= 0), default=len(block))
    while at + 5 <= len(block) and block[at] == 0x1C:
        record, dataset, length = struct.unpack_from(">BBH", block, at + 1)
        yield record, dataset, block[at + 5 : at + 5 + length]
        at += 5 + length


def _clean(value: object) -> str:
    """Return printable text: what XML cannot hold is left out. Old files are Latin-1 where not UTF-8."""
    if isinstance(value, bytes):
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
    elif isinstance(value, str):
        text = value
    else:
        return ""
    text = text.encode("utf-8", "replace").decode("utf-8").split("\0")[0]
    return "".join(c for c in text if c in "\n\t" or (c.isprintable() and c < "\ufffe")).strip()
