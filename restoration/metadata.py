"""What a master says about itself (creator, rights, caption...) in EXIF, IPTC-IIM, XMP and TIFF tags."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyvips
import tifffile
from PIL import Image

from restoration import tiff_header
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


@dataclass(frozen=True, slots=True)
class MasterMetadata:
    """The descriptive metadata of a master, as XMP would name them."""

    xmp: bytes | None = None
    """Its XMP packet, not yet parsed."""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What EXIF, TIFF tags and IPTC-IIM say, by XMP property."""
    unread: tuple[str, ...] = ()
    """Blocks that are there but damaged."""


def read(path: Path, facts: ScanFacts) -> MasterMetadata:
    """Return the descriptive metadata of an identified master; damaged blocks are named, never fatal."""
    blocks = _tiff_blocks(path) if facts.format == "tiff" else _vips_blocks(path, facts)
    fields: dict[str, tuple[str, ...]] = {}
    unread = []
    try:
        fields.update(_from_exif(blocks.exif))
    except (ValueError, SyntaxError, KeyError, TypeError, IndexError, struct.error, OSError):
        unread.append("EXIF")
    try:
        fields.update(_from_iim(blocks.iptc))
    except (struct.error, IndexError):
        unread.append("IPTC-IIM")
    fields.update(blocks.texts)
    return MasterMetadata(blocks.xmp, fields, tuple(unread))


@dataclass(frozen=True, slots=True)
class _Blocks:
    exif: bytes | None = None
    iptc: bytes | None = None
    xmp: bytes | None = None
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _vips_blocks(path: Path, facts: ScanFacts) -> _Blocks:
    image = load(path, facts)

    def block(name: str) -> bytes | None:
        return bytes(image.get(name)) if image.get_typeof(name) == pyvips.GValue.blob_type else None

    return _Blocks(block("exif-data"), block("iptc-data"), block("xmp-data"))


def _tiff_blocks(path: Path) -> _Blocks:
    with open_master(path) as file, tifffile.TiffFile(file, name=path.name) as tiff:
        tags = tiff.pages.first.tags
        texts = {}
        for code, name in _EXIF_TAGS.items():
            text = _clean(tags.valueof(code))
            if text:
                texts[name] = (text,)
        try:
            original = _clean((tags.valueof(_EXIF_IFD) or {}).get("DateTimeOriginal"))
        except tiff_header.LEAKS:
            original = ""
        if original:
            texts["exif:DateTimeOriginal"] = (original,)
        return _Blocks(None, _bytes(tags.valueof(33723)), _bytes(tags.valueof(700)), texts)


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


def _from_iim(block: bytes | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Read the application records of IPTC-IIM 4.2, wherever in the block they begin."""
    if not block:
        return
    found: dict[str, list[str]] = {}
    at = min((i for i in (block.find(b"\x1c\x01"), block.find(b"\x1c\x02")) if i >= 0), default=len(block))
    while at + 5 <= len(block) and block[at] == 0x1C:
        record, dataset, length = struct.unpack_from(">BBH", block, at + 1)
        value = block[at + 5 : at + 5 + length]
        at += 5 + length
        if record == 2 and dataset in _IIM_RECORDS and (text := _clean(value)):
            found.setdefault(_IIM_RECORDS[dataset], []).append(text)
    for name, texts in found.items():
        yield name, tuple(texts)


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
