"""What a master says about itself (creator, rights, caption...) in EXIF, IPTC-IIM, XMP, TIFF and PNG.

Which fields are read, and in which encodings: docs/metadata.md.
"""

import io
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyvips
import tifffile

from restoration import dates, iptc, leftovers, tiff_header
from restoration.blocks import Blocks, of_jpeg, of_png
from restoration.facts import ScanFacts
from restoration.opening import open_master
from restoration.scan import load
from restoration.tags import Tag, TagFile, swapped
from restoration.text import Decoded, decode

_EXIF_IFD: Final = 34665
_XMP, _IPTC, _PHOTOSHOP = 700, 33723, 34377
_TEXT_TAGS: Final = {270: "dc:description", 269: "dc:title", 315: "dc:creator", 33432: "dc:rights"}
_WINDOWS_TAGS: Final = {
    40091: "dc:title",
    40092: "dc:description",
    40093: "dc:creator",
    40094: "dc:subject",
}
"""XPTitle, XPComment, XPAuthor and XPKeywords, in UTF-16: read where no other tag says it."""
_USER_COMMENT: Final = 37510
_COMMENT_CODECS: Final = {
    b"ASCII\0\0\0": ("ascii",),
    b"JIS\0\0\0\0\0": ("iso2022_jp", "euc_jp", "shift_jis"),
    b"UNICODE\0": ("utf-16",),
    b"\0\0\0\0\0\0\0\0": (),
}
_RIGHTS, _TAKEN, _FRACTION, _OFFSET = 33432, 36867, 37521, 36881
_IIM_FIELDS: Final = {
    5: "dc:title",
    25: "dc:subject",
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
_IIM_DATE, _IIM_TIME = 55, 60
_PNG_TEXTS: Final = {
    "title": "dc:title",
    "author": "dc:creator",
    "description": "dc:description",
    "copyright": "dc:rights",
    "source": "photoshop:Source",
}
_LEAKS = (ValueError, SyntaxError, KeyError, TypeError, IndexError, AttributeError, struct.error, OSError)
"""What Pillow lets escape on a damaged block."""


@dataclass(frozen=True, slots=True)
class MasterMetadata:
    """The descriptive metadata of a master, as XMP would name them."""

    xmp: bytes | None = None
    """Its XMP packet, not yet parsed."""
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What EXIF, TIFF tags, PNG texts and IPTC-IIM say, by XMP property; dates in the form of XMP."""
    unread: tuple[str, ...] = ()
    """Blocks that are there but damaged."""
    left_out: tuple[str, ...] = ()
    """What else it says, by block and name: it has no place in a derivative."""
    extension: bytes | None = None
    """The part of the XMP of a JPEG that did not fit into its first packet."""
    noted: tuple[str, ...] = ()
    """What is odd about it: guessed encodings, swapped words."""


@dataclass(slots=True)
class _Said:
    """What one block says."""

    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    """How a field was read, by its name."""
    noted: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    damaged: bool = False

    def say(self, name: str, *texts: Decoded) -> None:
        """Add what is not empty to a field."""
        self.fields[name] = (*self.fields.get(name, ()), *(one.text for one in texts if one.text))
        for note in filter(None, (one.note for one in texts)):
            self.notes.setdefault(name, note)
        if not self.fields[name]:
            del self.fields[name]


def read(path: Path, facts: ScanFacts) -> MasterMetadata:
    """Return the descriptive metadata of an identified master; damaged blocks are named, never fatal.

    Where two blocks tell the same property otherwise, TIFF tags and PNG texts hold before IPTC-IIM, and that
    before EXIF; what does not hold is named.
    """
    blocks, of_container = _tiff_blocks(path) if facts.format == "tiff" else (_blocks(path, facts), _Said())
    fields: dict[str, tuple[str, ...]] = {}
    notes: dict[str, str] = {}
    origins: dict[str, str] = {}
    unread, left_out, noted = list(blocks.unread), list(blocks.left_out), []
    readers: tuple[tuple[str, Callable[[], _Said]], ...] = (
        ("EXIF", lambda: _from_exif(blocks.exif)),
        ("IPTC-IIM", lambda: _from_iptc(blocks, facts.format.upper())),
        (facts.format.upper(), lambda: of_container if facts.format == "tiff" else _from_texts(blocks)),
    )
    for label, reader in readers:
        try:
            with warnings.catch_warnings(record=True) as complaints:
                warnings.simplefilter("always")
                said = reader()
        except _LEAKS:
            unread.append(f"{label} (damaged)")
            continue
        left_out.extend(said.left_out)
        noted.extend(said.noted)
        if complaints or said.damaged:
            unread.append(f"{label} (damaged in part)")
        for name, texts in said.fields.items():
            if fields.get(name, texts) != texts:
                left_out.append(f"{origins[name]}: {name} (the {label} says otherwise)")
                notes.pop(name, None)
            fields[name], origins[name] = texts, label
            notes |= {name: said.notes[name]} if name in said.notes else {}
    noted.extend(f"{name}: {note}" for name, note in notes.items())
    extension = blocks.extension.whole if blocks.extension else None
    if blocks.extension and extension is None:
        unread.append("XMP extension (incomplete)")
    return MasterMetadata(
        blocks.xmp, fields, _once(unread), _once(left_out), extension=extension, noted=_once(noted)
    )


def _once(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _blocks(path: Path, facts: ScanFacts) -> Blocks:
    if facts.format in {"png", "jpeg"}:
        with open_master(path) as file:
            return (
                of_jpeg(file)
                if facts.format == "jpeg"
                else of_png(file, profile_is_used=bool(facts.icc_sha256))
            )
    image = load(path, facts)

    def block(name: str) -> bytes | None:
        return bytes(image.get(name)) if image.get_typeof(name) == pyvips.GValue.blob_type else None

    exif = block("exif-data")
    found = Blocks(
        exif=exif and exif.removeprefix(b"Exif\0\0"), iptc=block("iptc-data"), xmp=block("xmp-data")
    )
    if facts.format == "gif":
        with open_master(path) as file:
            found.left_out.extend(leftovers.of_gif(file))
    return found


def _tiff_blocks(path: Path) -> tuple[Blocks, _Said]:
    """Return the blocks in a TIFF, and what its own tags and those of its EXIF directory say."""
    found = Blocks()
    with open_master(path) as file:
        tags = TagFile(file)
        first = tags.directory(tags.first).tags
        said = _Said()
        pointer = first[_EXIF_IFD].number if _EXIF_IFD in first else None
        exif = tags.directory(pointer) if pointer else None
        known = _described({**first, **(exif.tags if exif else {})}, said)
        said.left_out = [f"TIFF: {one}" for one in said.left_out]
        if exif and exif.damaged:
            found.unread.append("EXIF (damaged in part)")
        try:
            file.seek(0)
            with tifffile.TiffFile(file, name=path.name) as tiff:
                found.left_out.extend(leftovers.of_tiff(tiff.pages.first, len(tiff.pages), known))
        except tiff_header.LEAKS:
            found.left_out.append("EXIF (damaged)")
    found.xmp = first[_XMP].raw if _XMP in first else None
    if _XMP in first and first[_XMP].kind in {3, 4}:
        found.xmp = _unswapped_xmp(first[_XMP].raw, said)
    if _IPTC in first:
        found.iptc = first[_IPTC].raw
    if _PHOTOSHOP in first:
        found.photoshop = first[_PHOTOSHOP].raw
    return found, said


def _unswapped_xmp(raw: bytes, said: _Said) -> bytes:
    for width in (4, 2):
        turned = swapped(raw, width)
        if (
            turned.lstrip(b"\0 \r\n\t\xef\xbb\xbf").startswith(b"<")
            and b"rdf" in turned
            and b"rdf" not in raw
        ):
            said.noted.append(f"XMP: its {8 * width}-bit words were swapped; read as they were meant")
            return turned
    return raw


def _from_exif(block: bytes | None) -> _Said:
    said = _Said()
    if not block:
        return said
    tags = TagFile(io.BytesIO(block))
    first = tags.directory(tags.first)
    pointer = first.tags[_EXIF_IFD].number if _EXIF_IFD in first.tags else None
    exif = tags.directory(pointer) if pointer else None
    said.damaged = first.damaged or bool(exif and exif.damaged)
    known = _described({**first.tags, **(exif.tags if exif else {})}, said)
    said.left_out = [f"EXIF: {one}" for one in said.left_out]
    said.left_out.extend(leftovers.of_exif(block, known))
    return said


def _described(tags: Mapping[int, Tag], said: _Said) -> frozenset[int]:
    """Take in what TIFF and EXIF tags say; return the codes of those that are told of."""
    known = {*_TEXT_TAGS, _TAKEN} & tags.keys()
    for code, name in _TEXT_TAGS.items():
        if code in tags and (raw := tags[code].text):
            said.say(name, _several(raw) if code == _RIGHTS else decode(raw))
            if code != _RIGHTS and _goes_on(raw):
                said.left_out.append(f"{name} (what stands behind its end)")
    for code, name in _WINDOWS_TAGS.items():
        if code in tags and name not in said.fields and (raw := tags[code].text):
            parts = decode(raw, ("utf-16-le",))
            several = parts.text.split(";") if name in {"dc:subject", "dc:creator"} else [parts.text]
            said.say(name, *(Decoded(one.strip(), parts.note) for one in several))
            known.add(code)
    if _USER_COMMENT in tags and "dc:description" not in said.fields:
        comment = _user_comment(tags[_USER_COMMENT])
        said.say("dc:description", comment)
        known |= {_USER_COMMENT} if comment.text else set()
    if _TAKEN in tags:
        known |= {_FRACTION, _OFFSET} & tags.keys()
        taken, fraction, offset = (_text_of(tags.get(code)) for code in (_TAKEN, _FRACTION, _OFFSET))
        date = dates.from_exif(taken, fraction, offset)
        if date:
            said.say("exif:DateTimeOriginal", Decoded(date))
        else:
            said.left_out.append(f"exif:DateTimeOriginal (no date: {taken!r})")
    return frozenset(known)


def _text_of(tag: Tag | None) -> str:
    return decode(tag.text or b"").text if tag else ""


def _several(raw: bytes) -> Decoded:
    """Return a copyright as one text: EXIF has the photographer's and the editor's apart by a NUL."""
    parts = [one for one in map(decode, raw.split(b"\0")[:2]) if one.text]
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or not parts:
        return decode(raw)
    return Decoded("; ".join(one.text for one in parts), next((one.note for one in parts if one.note), None))


def _goes_on(raw: bytes) -> bool:
    """Whether something stands behind the first NUL of a text of one byte a character."""
    return not raw.startswith((b"\xff\xfe", b"\xfe\xff")) and bool(raw.partition(b"\0")[2].strip(b"\0 "))


def _user_comment(tag: Tag) -> Decoded:
    raw = tag.text or b""
    codecs = _COMMENT_CODECS.get(raw[:8])
    if codecs == ("utf-16",):
        codecs = ("utf-16-le", "utf-16-be") if tag.order == "<" else ("utf-16-be", "utf-16-le")
    return Decoded("") if codecs is None else decode(raw[8:], codecs)


def _from_iptc(blocks: Blocks, label: str) -> _Said:
    """Return what IPTC-IIM says, by itself or among Photoshop's resources, which are told of, too."""
    said = _Said()
    streams: list[bytes] = []
    for raw in filter(None, (blocks.iptc, blocks.photoshop)):
        block, turned = iptc.unswapped(raw)
        if turned:
            said.noted.append("IPTC-IIM: its words were swapped; read as they were meant")
        if block[0] == iptc.MARKER:
            streams.append(block)
        elif block[:4] in iptc.SIGNATURES:
            streams.extend(_in_resources(block, blocks, said, label))
        else:
            said.damaged = said.damaged or bool(block.strip(b"\0"))
    if streams:
        _take_iim(iptc.stream(streams[0]), said)
    if any(other != streams[0] for other in streams[1:]):
        said.left_out.append("IPTC-IIM: a second block")
    return said


def _in_resources(block: bytes, blocks: Blocks, said: _Said, label: str) -> Iterator[bytes]:
    others = False
    try:
        for code, content in iptc.resources(block):
            if code == iptc.IIM_RESOURCE:
                yield content
            elif code == iptc.XMP_RESOURCE and blocks.xmp is None:
                blocks.xmp = content
            else:
                others = True
    except ValueError:
        said.damaged = True
    if others and label != "TIFF":  # a TIFF's are named by their tag
        said.left_out.append(f"{label}: Photoshop resources")


def _take_iim(found: iptc.Stream, said: _Said) -> None:
    """Take in the application records of IPTC-IIM 4.2 that have a place in XMP."""
    said.damaged = said.damaged or found.damaged
    if found.unknown:
        said.noted.append(f"IPTC-IIM: its declared character set ({found.unknown}) is not known")

    def text(value: bytes) -> Decoded:
        return decode(found.prefix + value, found.declared)

    date = time = ""
    known = {*_IIM_FIELDS, _IIM_DATE}
    for one in found.records:
        if one.record != 2:
            continue
        if one.dataset in _IIM_FIELDS:
            said.say(_IIM_FIELDS[one.dataset], text(one.value))
        elif one.dataset == _IIM_DATE:
            date = date or text(one.value).text
        elif one.dataset == _IIM_TIME:
            time = time or text(one.value).text
    if date and (told := dates.from_iim(date, time)):
        said.say("photoshop:DateCreated", Decoded(told))
        known |= {_IIM_TIME} if "T" in told else set()
    elif date:
        said.left_out.append(f"IPTC-IIM: photoshop:DateCreated (no date: {date!r})")
    said.left_out.extend(leftovers.of_iim(found.records, frozenset(known)))


def _from_texts(blocks: Blocks) -> _Said:
    said = _Said()
    for one in blocks.texts:
        name = _PNG_TEXTS.get(one.keyword.lower())
        found = _png_text(one.value, one.codec) if name else Decoded("")
        if name and (name == "dc:creator" or name not in said.fields):
            said.say(name, found)
        else:
            said.left_out.append(f"PNG text: {one.keyword}")
    return said


def _png_text(value: bytes, codec: str) -> Decoded:
    """Return a text of a PNG. A tEXt is Latin-1 by the specification, but some software writes UTF-8."""
    if codec == "latin-1" and not value.isascii():
        found = decode(value, ("utf-8",))
        if found.note is None:
            return Decoded(found.text, "decoded as UTF-8, a guess: PNG says Latin-1, but it is valid UTF-8")
    return decode(value, (codec,))
