"""Parsing of a foreign XMP packet in any encoding, as untrusted XML.

Internal entities are replaced, no file and no address is opened, and the size of the text is bounded.
Frequent faults (characters that XML cannot hold, undefined entities, bare ampersands) are repaired.
"""

import html.entities
import re
from typing import Final

from lxml import etree

from restoration.masters.metadata.text_encoding import NO_XML, decode_text

_MAX_TEXT: Final = 8_000_000
"""Characters of all properties, with entities replaced."""
_DECLARATION: Final = re.compile(r"\s*<\?xml\s[^>]*\?>")
_DECLARED: Final = re.compile(rb"\A\s*<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_REFERENCE: Final = re.compile(
    r"&(?:(#[xX][0-9a-fA-F]{1,8}|#[0-9]{1,9})|(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]{0,31}));"
)
_BARE_AMPERSAND: Final = re.compile(r"&(?!#[0-9]{1,9};|amp;|lt;|gt;|quot;|apos;)")
_WIDE: Final = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_BOMS: Final = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    (b"\xef\xbb\xbf", "utf-8"),
)


def parse_packet(packet: bytes) -> tuple[etree._Element | None, list[str]]:
    """Return the root of a packet, and notes on how it was read; the root is None if it cannot be parsed."""
    text, note = _decoded(packet)
    notes = [f"XMP: {note}"] if note else []
    repaired = _repaired(text)
    for attempt, entities in ((text, True), (text, False), (repaired, True)):
        try:
            root = etree.fromstring(attempt.encode("utf-8", "replace"), _parser(entities=entities))
        except (etree.XMLSyntaxError, ValueError):
            continue
        if attempt is repaired and repaired != text:
            notes.append("XMP: repaired, it was not well-formed XML")
        return (root if _is_bounded(root) else None), notes
    return None, notes


def _parser(*, entities: bool) -> etree.XMLParser:
    """Return a parser that opens nothing, and replaces internal `entities` or none."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities="internal" if entities else False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        strip_cdata=True,
    )


def _decoded(packet: bytes) -> tuple[str, str | None]:
    """Return the document in a packet, and a note if its encoding was guessed."""
    for bom, codec in _BOMS:
        if packet.startswith(bom):
            return _trimmed(packet[len(bom) :].decode(codec, "replace")), None
    head = packet.lstrip(b" \r\n\t")[:4] if packet[:1] != b"\0" else packet[:4]
    for start, codec in _WIDE:
        if head.startswith(start):
            return _trimmed(packet.decode(codec, "replace")), None
    packet = packet.strip(b"\0 \r\n\t")
    declared = _DECLARED.match(packet)
    try:
        return _trimmed(packet.decode("utf-8")), None
    except UnicodeDecodeError:
        pass
    if declared:
        try:
            return _trimmed(packet.decode(declared[1].decode("ascii"))), None
        except (UnicodeError, LookupError):
            pass
    guessed = decode_text(packet)
    return _trimmed(guessed.text), guessed.note


def _trimmed(text: str) -> str:
    """Return a document from its first "<" to its last ">", without its XML declaration."""
    text = text[max(0, text.find("<")) : text.rfind(">") + 1]
    declaration = _DECLARATION.match(text)
    return text[declaration.end() :] if declaration else text


def _repaired(text: str) -> str:
    """Return a document without characters that XML cannot hold, with entities and ampersands repaired."""
    text = NO_XML.sub("", text)

    def kept(reference: re.Match[str]) -> str:
        if reference[1]:
            digits = reference[1][1:]
            number = int(f"0{digits}", 0) if digits[0] in "xX" else int(digits)
            legal = number <= 0x10FFFF and not NO_XML.match(chr(number))
            return f"&#{number};" if legal else ""
        return html.entities.html5.get(f"{reference[2]};", f"&amp;{reference[2]};")

    if "<!ENTITY" in text:
        return text
    return _BARE_AMPERSAND.sub("&amp;", _REFERENCE.sub(kept, text))


def _is_bounded(root: etree._Element) -> bool:
    size = 0
    for text in root.itertext(with_tail=True):
        size += len(text)
        if size > _MAX_TEXT:
            return False
    return True
