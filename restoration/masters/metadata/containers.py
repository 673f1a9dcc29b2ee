"""Metadata blocks of a PNG or JPEG, and the names of what else the container holds."""

import itertools
import struct
import zlib
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from restoration.masters.jpeg import markers
from restoration.masters.jpeg.markers import APP_0, APP_1, COM, XMP_HEAD
from restoration.masters.metadata import iptc
from restoration.masters.png import chunks

PROFILE: Final = "ICC profile (not one for gray)"
MAX_BYTES: Final = 1 << 25
"""Bytes of one block: longer blocks are not metadata."""
_XMP_KEYWORD: Final = "XML:com.adobe.xmp"
_PNG_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_PNG_READ: Final = _PNG_TEXTS | {b"eXIf", b"iCCP"}
_PNG_STORAGE: Final = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"pHYs", b"sRGB", b"gAMA", b"cHRM", b"sBIT"}
    | {b"acTL", b"fcTL", b"fdAT"}
)
_RAW_PROFILES: Final = {
    "exif": "exif",
    "app1": "exif",
    "xmp": "xmp",
    "iptc": "photoshop",
    "8bim": "photoshop",
}
_EXIF, _EXTENSION = b"Exif\0\0", b"http://ns.adobe.com/xmp/extension/\0"
_KNOWN_HEADS: Final = (b"JFIF\0", b"ICC_PROFILE\0", b"Adobe")
_APP_13: Final = 0xED


@dataclass(frozen=True, slots=True)
class PngText:
    """A text of a PNG."""

    keyword: str
    value: bytes
    codec: str
    """Encoding that its chunk declares: "latin-1" or "utf-8"."""


@dataclass(slots=True)
class MetadataBlocks:
    """The metadata blocks of a file, not yet parsed."""

    exif: bytes | None = None
    """In its TIFF form."""
    iptc: bytes | None = None
    """IPTC-IIM or the Photoshop resources that hold it."""
    photoshop: bytes | None = None
    """Photoshop resources, if they are stored beside IPTC-IIM."""
    xmp: bytes | None = None
    extension: "XmpExtension | None" = None
    texts: list[PngText] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Blocks that cannot be read, with the reason."""
    left_out: list[str] = field(default_factory=list)
    """Names of what else the container holds."""


@dataclass(slots=True)
class XmpExtension:
    """Extended XMP of a JPEG: what does not fit into the first packet (XMP part 3, 1.1.3.1)."""

    guid: bytes
    """MD5 of the whole extension, in hexadecimal digits."""
    size: int
    parts: dict[int, bytes] = field(default_factory=dict)

    @property
    def whole(self) -> bytes | None:
        """The whole extension, None unless all its parts are present."""
        content = b"".join(part for _, part in sorted(self.parts.items()))
        ends = [0, *(at + len(part) for at, part in sorted(self.parts.items()))]
        return content if sorted(self.parts) == ends[:-1] and len(content) == self.size else None


def png_blocks(file: BinaryIO, *, profile_is_used: bool) -> MetadataBlocks:
    """Return the metadata blocks in the chunks of a PNG, up to any damage."""
    found = MetadataBlocks()
    for chunk in chunks.read_chunks(file):
        kind, length = chunk.kind, chunk.length
        if not chunk.sound and kind in _PNG_READ:
            continue  # noted by `png.chunks.check_chunks`
        if kind in _PNG_TEXTS:
            _add_png_text(found, kind, file.read(min(length, MAX_BYTES)))
        elif kind == b"eXIf":
            found.exif = file.read(min(length, MAX_BYTES)).removeprefix(_EXIF)
        elif kind == b"iCCP":
            found.left_out.extend([] if profile_is_used else [PROFILE])
        elif kind not in _PNG_STORAGE:
            found.left_out.append(f"PNG: {kind.decode('latin-1')}")
    return found


def _add_png_text(found: MetadataBlocks, kind: bytes, content: bytes) -> None:
    name, _, rest = content.partition(b"\0")
    keyword = name.decode("latin-1")
    codec = "utf-8" if kind == b"iTXt" else "latin-1"
    compressed = kind == b"zTXt"
    if kind == b"iTXt":
        compressed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif compressed:
        rest = rest[1:]
    value = _inflated(rest) if compressed else rest
    raw = keyword.lower().removeprefix("raw profile type ")
    if value is None:
        found.unread.append(f"PNG text: {keyword} (damaged)")
    elif keyword == _XMP_KEYWORD:
        found.xmp = found.xmp or value
    elif raw != keyword.lower() and raw in _RAW_PROFILES:
        _add_raw_profile(found, keyword, _RAW_PROFILES[raw], value)
    else:
        found.texts.append(PngText(keyword, value, codec))


def _add_raw_profile(found: MetadataBlocks, keyword: str, where: str, value: bytes) -> None:
    """Add a block that ImageMagick wrote as text: name, length and hexadecimal digits."""
    try:
        content = bytes.fromhex(b"".join(value.split()[2:]).decode("ascii"))
    except ValueError:
        found.unread.append(f"PNG text: {keyword} (damaged)")
        return
    if content.startswith(XMP_HEAD):
        where, content = "xmp", content.removeprefix(XMP_HEAD)
    if where == "exif":
        found.exif = found.exif or content.removeprefix(_EXIF)
    elif where == "xmp":
        found.xmp = found.xmp or content
    else:
        found.iptc = found.iptc or content


def _inflated(content: bytes) -> bytes | None:
    try:
        inflater = zlib.decompressobj()
        text = inflater.decompress(content, MAX_BYTES)
    except zlib.error:
        return None
    return text if inflater.eof else None


def jpeg_blocks(file: BinaryIO) -> MetadataBlocks:
    """Return the metadata blocks in the segments of a JPEG before its scan, up to any damage."""
    found = MetadataBlocks()
    photoshop = []
    for segment in itertools.takewhile(lambda one: one.end < MAX_BYTES, markers.read_segments(file)):
        marker, content = segment.marker, segment.content
        if marker == COM:
            found.left_out.append("JPEG: comment")
        elif marker == _APP_13 and content.startswith((*iptc.HEADS, b"\x1c")):
            photoshop.append(_resource_bytes(content))
        elif marker == APP_1 and content.startswith((_EXIF, XMP_HEAD, _EXTENSION)):
            _add_app_1(found, content)
        elif APP_0 <= marker < APP_0 + 16 and not content.startswith(_KNOWN_HEADS):
            label = content.partition(b"\0")[0][:32].decode("latin-1")
            printable = "".join(c for c in label if c.isprintable())
            found.left_out.append(f"JPEG: APP{marker - APP_0} {printable}".strip())
    found.iptc = b"".join(photoshop) or None
    return found


def _add_app_1(found: MetadataBlocks, content: bytes) -> None:
    if content.startswith(_EXIF):
        if found.exif is None:
            found.exif = content.removeprefix(_EXIF)
        else:
            found.left_out.append("JPEG: a second EXIF block")
    elif content.startswith(XMP_HEAD):
        if found.xmp is None:
            found.xmp = content.removeprefix(XMP_HEAD)
        else:
            found.left_out.append("JPEG: a second XMP packet")
    else:
        _add_extension(found, content.removeprefix(_EXTENSION))


def _add_extension(found: MetadataBlocks, content: bytes) -> None:
    if len(content) < 40:
        found.unread.append("XMP extension (damaged)")
        return
    guid, (size, offset) = content[:32], struct.unpack_from(">II", content, 32)
    if found.extension is None:
        found.extension = XmpExtension(guid, size)
    if found.extension.guid == guid and sum(map(len, found.extension.parts.values())) < MAX_BYTES:
        found.extension.parts[offset] = content[40:]


def _resource_bytes(content: bytes) -> bytes:
    head = next((head for head in iptc.HEADS if content.startswith(head)), b"")
    return content[len(head) + (8 if head == iptc.HEADS[1] else 0) :]  # the older head is followed by 8 bytes
