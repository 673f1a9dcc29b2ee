"""Descriptive metadata of a master (creator, rights, caption...) in EXIF, IPTC-IIM, XMP, TIFF and PNG.

docs/metadata.md lists the fields that are read, and the encodings.
"""

import io
import struct
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyvips
import tifffile

from restoration.masters import pnm
from restoration.masters.facts import ScanFacts
from restoration.masters.libvips import load
from restoration.masters.metadata import uncarried
from restoration.masters.metadata.containers import MetadataBlocks, jpeg_blocks, png_blocks
from restoration.masters.metadata.iptc_fields import iptc_properties
from restoration.masters.metadata.properties import MetadataProperties
from restoration.masters.metadata.tag_fields import add_tag_properties
from restoration.masters.metadata.tags import Tag, TagDirectory, TagFile, swap_bytes
from restoration.masters.metadata.text_encoding import DecodedText, decode_text
from restoration.masters.safe_open import open_master
from restoration.masters.tiff.picture import find_picture
from restoration.masters.tiff.segment_layout import TIFFFILE_ERRORS

_EXIF_IFD: Final = 34665
_XMP, _IPTC, _PHOTOSHOP = 700, 33723, 34377
_NAMES: Final = {
    269: "DocumentName",
    270: "ImageDescription",
    315: "Artist",
    700: "XMP",
    33432: "Copyright",
    33723: "IPTC-IIM",
    34377: "Photoshop resources",
}
_PNG_TEXTS: Final = {
    "title": "dc:title",
    "author": "dc:creator",
    "description": "dc:description",
    "copyright": "dc:rights",
    "source": "photoshop:Source",
}
_PILLOW_ERRORS = (
    ValueError,
    SyntaxError,
    KeyError,
    TypeError,
    IndexError,
    AttributeError,
    struct.error,
    OSError,
)
"""Errors that Pillow raises on a damaged block."""


@dataclass(frozen=True, slots=True)
class MasterMetadata:
    """The descriptive metadata of a master, by XMP property."""

    xmp: bytes | None = None
    """Its XMP packet, not yet parsed."""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Texts of EXIF, TIFF tags, PNG texts and IPTC-IIM, by XMP property; dates in the form of XMP."""
    unread: tuple[str, ...] = ()
    """Blocks that are damaged."""
    left_out: tuple[str, ...] = ()
    """Names, with their block, of what a derivative does not carry."""
    extension: bytes | None = None
    """The part of the XMP of a JPEG that does not fit into its first packet."""
    noted: tuple[str, ...] = ()
    """Oddities: guessed encodings, swapped words."""


def read_metadata(path: Path, facts: ScanFacts) -> MasterMetadata:
    """Return the descriptive metadata of an identified master; damaged blocks are named, not fatal.

    Where two blocks disagree about a property, TIFF tags and PNG texts take precedence over IPTC-IIM, and
    IPTC-IIM over EXIF; the value that is dropped is named in `left_out`.
    """
    blocks, container_properties = (
        _tiff_blocks(path, facts) if facts.format == "tiff" else (_blocks(path, facts), MetadataProperties())
    )
    fields: dict[str, tuple[str, ...]] = {}
    notes: dict[str, str] = {}
    origins: dict[str, str] = {}
    unread, left_out, noted = list(blocks.unread), list(blocks.left_out), []
    readers: tuple[tuple[str, Callable[[], MetadataProperties]], ...] = (
        ("EXIF", lambda: _from_exif(blocks.exif)),
        ("IPTC-IIM", lambda: iptc_properties(blocks, facts.format.upper())),
        (
            facts.format.upper(),
            lambda: container_properties if facts.format == "tiff" else _from_texts(blocks),
        ),
    )
    for label, reader in readers:
        try:
            with warnings.catch_warnings(record=True) as complaints:
                warnings.simplefilter("always")
                properties = reader()
        except _PILLOW_ERRORS:
            unread.append(f"{label} (damaged)")
            continue
        left_out.extend(properties.left_out)
        noted.extend(properties.noted)
        if complaints or properties.damaged:
            unread.append(f"{label} (damaged in part)")
        for name, texts in properties.fields.items():
            if fields.get(name, texts) != texts:
                left_out.append(f"{origins[name]}: {name} (the {label} says otherwise)")
                notes.pop(name, None)
            fields[name], origins[name] = texts, label
            notes |= {name: properties.notes[name]} if name in properties.notes else {}
    noted.extend(f"{name}: {note}" for name, note in notes.items())
    extension = blocks.extension.whole if blocks.extension else None
    if blocks.extension and extension is None:
        unread.append("XMP extension (incomplete)")
    return MasterMetadata(
        blocks.xmp, fields, _unique(unread), _unique(left_out), extension=extension, noted=_unique(noted)
    )


def _unique(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _blocks(path: Path, facts: ScanFacts) -> MetadataBlocks:
    with open_master(path) as file:
        match facts.format:
            case "jpeg":
                return jpeg_blocks(file)
            case "png":
                return png_blocks(file, profile_is_used=bool(facts.icc_sha256))
            case "pnm":
                has_comment = b"#" in file.read(pnm.read_header(file, path).offset)
                return MetadataBlocks(left_out=["PNM: comment"] if has_comment else [])
            case "gif":
                found = _libvips_blocks(path, facts)
                found.left_out.extend(uncarried.gif_entries(file))
                return found
            case _:
                return _libvips_blocks(path, facts)


def _libvips_blocks(path: Path, facts: ScanFacts) -> MetadataBlocks:
    image = load(path, facts)

    def block(name: str) -> bytes | None:
        return bytes(image.get(name)) if image.get_typeof(name) == pyvips.GValue.blob_type else None

    exif = block("exif-data")
    return MetadataBlocks(
        exif=exif and exif.removeprefix(b"Exif\0\0"), iptc=block("iptc-data"), xmp=block("xmp-data")
    )


def _tiff_blocks(path: Path, facts: ScanFacts) -> tuple[MetadataBlocks, MetadataProperties]:
    """Return the metadata blocks of the picture in a TIFF, and the properties of its TIFF and EXIF tags."""
    found = MetadataBlocks()
    with open_master(path) as file:
        tags = TagFile(file)
        picture = find_picture(file, path, facts.file_bytes)
        directory = tags.directory(picture.directory.offset)
        # A preview before the picture may describe it as well.
        preview = tags.directory(tags.first).tags if picture.page else {}
        first, properties = {**preview, **directory.tags}, MetadataProperties()
        found.unread.extend(
            f"TIFF: {_NAMES[code]} (damaged)" for code in sorted(directory.lost & _NAMES.keys())
        )
        exif = _exif_directory(tags, first)
        known = add_tag_properties({**first, **(exif.tags if exif else {})}, properties)
        properties.left_out = [f"TIFF: {one}" for one in properties.left_out]
        if exif and exif.damaged:
            found.unread.append("EXIF (damaged in part)")
        try:
            file.seek(0)
            with tifffile.TiffFile(file, name=path.name) as tiff:
                page: Any = tiff.pages[picture.page]
                found.left_out.extend(uncarried.tiff_entries(page, len(picture.tiff.directories), known))
        except TIFFFILE_ERRORS:
            found.left_out.append("EXIF (damaged)")
    found.xmp = first[_XMP].raw if _XMP in first else None
    if _XMP in first and first[_XMP].kind in {3, 4}:
        found.xmp = _unswapped_xmp(first[_XMP].raw, properties)
    if _IPTC in first:
        found.iptc = first[_IPTC].raw
    if _PHOTOSHOP in first:
        found.photoshop = first[_PHOTOSHOP].raw
    return found, properties


def _unswapped_xmp(raw: bytes, properties: MetadataProperties) -> bytes:
    for width in (4, 2):
        unswapped = swap_bytes(raw, width)
        if (
            unswapped.lstrip(b"\0 \r\n\t\xef\xbb\xbf").startswith(b"<")
            and b"rdf" in unswapped
            and b"rdf" not in raw
        ):
            properties.noted.append(f"XMP: its {8 * width}-bit words were swapped; read as they were meant")
            return unswapped
    return raw


def _from_exif(block: bytes | None) -> MetadataProperties:
    properties = MetadataProperties()
    if not block:
        return properties
    tags = TagFile(io.BytesIO(block))
    first = tags.directory(tags.first)
    exif = _exif_directory(tags, first.tags)
    properties.damaged = first.damaged or bool(exif and exif.damaged)
    known = add_tag_properties({**first.tags, **(exif.tags if exif else {})}, properties)
    properties.left_out = [f"EXIF: {one}" for one in properties.left_out]
    properties.left_out.extend(uncarried.exif_entries(block, known))
    return properties


def _exif_directory(file: TagFile, tags: Mapping[int, Tag]) -> TagDirectory | None:
    pointer = tags[_EXIF_IFD].number if _EXIF_IFD in tags else None
    return file.directory(pointer) if pointer else None


def _from_texts(blocks: MetadataBlocks) -> MetadataProperties:
    properties = MetadataProperties()
    for one in blocks.texts:
        name = _PNG_TEXTS.get(one.keyword.lower())
        found = _png_text(one.value, one.codec) if name else DecodedText("")
        if name and (name == "dc:creator" or name not in properties.fields):
            properties.add(name, found)
        else:
            properties.left_out.append(f"PNG text: {one.keyword}")
    return properties


def _png_text(value: bytes, codec: str) -> DecodedText:
    """Return a text of a PNG. A tEXt is Latin-1 by the specification, but some software writes UTF-8."""
    if codec == "latin-1" and not value.isascii():
        found = decode_text(value, ("utf-8",))
        if found.note is None:
            return DecodedText(
                found.text, "decoded as UTF-8, a guess: PNG says Latin-1, but it is valid UTF-8"
            )
    return decode_text(value, (codec,))
