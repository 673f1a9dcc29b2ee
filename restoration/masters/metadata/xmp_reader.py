"""What a foreign XMP packet says, in any encoding, with nothing that could harm the packet it is copied into.

The packet is untrusted XML. Its internal entities are replaced, no file and no address is ever opened, and
size, depth and growth are bounded. What is handed on is built anew from elements, attributes and text:
comments, processing instructions and what RDF allows but XMP does not are left behind.
"""

import html.entities
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from lxml import etree

from restoration.masters.metadata.text_encoding import NO_XML, decode_text
from restoration.masters.metadata.xmp_vocabulary import LANG, RDF

META: Final = "adobe:ns:meta/"
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"
_EXTENDED: Final = "{http://ns.adobe.com/xmp/note/}HasExtendedXMP"

MAX_BYTES: Final = 16_000_000
"""Of a packet."""
_MOST_TEXT: Final = 8_000_000
"""Characters of all properties, entities replaced."""
_MOST_PROPERTIES, _MOST_PARTS, _MOST_MERGED = 1_000, 5_000, 100
_DEEPEST: Final = 16
_ARRAYS: Final = frozenset({f"{{{RDF}}}{kind}" for kind in ("Alt", "Bag", "Seq")})
_ITEM, _DESCRIPTION, _VALUE = f"{{{RDF}}}li", f"{{{RDF}}}Description", f"{{{RDF}}}value"
_PARSE_TYPE, _RESOURCE = f"{{{RDF}}}parseType", f"{{{RDF}}}resource"
_DECLARATION: Final = re.compile(r"\s*<\?xml\s[^>]*\?>")
_DECLARED: Final = re.compile(rb"\A\s*<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_REFERENCE: Final = re.compile(
    r"&(?:(#[xX][0-9a-fA-F]{1,8}|#[0-9]{1,9})|(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]{0,31}));"
)
_BARE_AMPERSAND: Final = re.compile(r"&(?!#[0-9]{1,9};|amp;|lt;|gt;|quot;|apos;)")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*\Z", re.ASCII)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z", re.ASCII)
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


@dataclass(slots=True)
class XmpProperties:
    """The properties of a packet, by expanded name, each once."""

    properties: dict[str, etree._Element] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """What has no place in a packet of ours: expanded name and reason."""
    noted: list[str] = field(default_factory=list)
    damaged: bool = False
    merged: int = 0
    """How often two values of a property became one."""


def read_xmp(packet: bytes, extension: bytes | None = None) -> XmpProperties:
    """Return what a packet says, and the second part of it that a JPEG may have; never fails."""
    found = XmpProperties()
    for part in (packet, extension):
        if part is None or not part.strip(b"\0 \r\n\t"):
            continue
        if len(part) > MAX_BYTES:
            found.left_out.append(("XMP", f"longer than {MAX_BYTES:,} bytes"))
            continue
        root = _parsed(part, found)
        if root is None:
            found.damaged = True
            continue
        for name, value in _stated(root):
            _take(found, name, value)
    found.properties.pop(_EXTENDED, None)
    return found


def iterate_properties(packet: bytes) -> Iterator[tuple[str, etree._Element]]:
    """Yield expanded name and element of each property as it stands, nothing for what is no XMP."""
    root = _parsed(packet, XmpProperties()) if packet else None
    return iter(()) if root is None else _stated(root)


def _parsed(packet: bytes, found: XmpProperties) -> etree._Element | None:
    text, note = _decoded(packet)
    if note:
        found.noted.append(f"XMP: {note}")
    repaired = _repaired(text)
    for attempt, entities in ((text, True), (text, False), (repaired, True)):
        try:
            root = etree.fromstring(attempt.encode("utf-8", "replace"), _parser(entities=entities))
        except (etree.XMLSyntaxError, ValueError):
            continue
        if attempt is repaired and repaired != text:
            found.noted.append("XMP: repaired, it was not well-formed XML")
        return root if _is_bounded(root) else None
    return None


def _parser(*, entities: bool) -> etree.XMLParser:
    """Return a parser that opens nothing and replaces a document's own `entities`, or none."""
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
    """Return the text of a packet without what stands around it, and how it was read if by a guess."""
    for bom, codec in _BOMS:
        if packet.startswith(bom):
            return _trimmed(packet[len(bom) :].decode(codec, "replace")), None
    begins = packet.lstrip(b" \r\n\t")[:4] if packet[:1] != b"\0" else packet[:4]
    for start, codec in _WIDE:
        if begins.startswith(start):
            return _trimmed(packet.decode(codec, "replace")), None
    packet = packet.strip(b"\0 \r\n\t")
    said = _DECLARED.match(packet)
    codecs = (said[1].decode("ascii"),) if said else ()
    try:
        return _trimmed(packet.decode("utf-8")), None
    except UnicodeDecodeError:
        pass
    for codec in codecs:
        try:
            return _trimmed(packet.decode(codec)), None
        except (UnicodeError, LookupError):
            continue
    read_xmp = decode_text(packet)
    return _trimmed(read_xmp.text), read_xmp.note


def _trimmed(text: str) -> str:
    """Return a document from its first "<" to its last ">", without a declaration of another encoding."""
    text = text[max(0, text.find("<")) : text.rfind(">") + 1]
    declaration = _DECLARATION.match(text)
    return text[declaration.end() :] if declaration else text


def _repaired(text: str) -> str:
    """Return a document without characters that XML cannot hold, with entities and ampersands put right."""
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
        if size > _MOST_TEXT:
            return False
    return True


def _stated(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Yield name and element of each property; those in attribute form become elements."""
    for description in root.iter(_DESCRIPTION):
        parent = description.getparent()
        if parent is None or parent.tag != f"{{{RDF}}}RDF":
            continue
        for key, text in description.attrib.items():
            if _is_property(str(key)):
                element = etree.Element(str(key))
                element.text = str(text)
                yield str(key), element
        for child in description:
            if isinstance(child.tag, str) and _is_property(child.tag):
                yield child.tag, child


def _is_property(name: str) -> bool:
    """Whether an expanded name is one of a property, not of RDF's or XML's own words."""
    return name.startswith("{") and not name.startswith((f"{{{RDF}}}", f"{{{META}}}", _XML, "{}"))


def _take(found: XmpProperties, name: str, value: etree._Element) -> None:
    if len(found.left_out) > _MOST_PROPERTIES:
        return
    if next(islice(value.iter(), _MOST_PARTS, None), None) is not None:
        found.left_out.append((name, f"more than {_MOST_PARTS:,} parts"))
        return
    try:
        made = _copied(value, _DEEPEST)
    except ValueError as error:
        found.left_out.append((name, str(error)))
        return
    known = found.properties.get(name)
    if known is None and len(found.properties) >= _MOST_PROPERTIES:
        found.left_out.append(("XMP", f"more than {_MOST_PROPERTIES:,} properties"))
    elif known is None:
        found.properties[name] = made
    elif found.merged >= _MOST_MERGED or not _merged(known, made):
        found.left_out.append((name, "a second value"))
    else:
        found.merged += 1


def _merged(known: etree._Element, other: etree._Element) -> bool:
    """Add the items of an array to those of another of its kind; tell whether nothing was lost."""
    if list(known.itertext()) == list(other.itertext()):
        return True
    if len(known) != 1 or len(other) != 1 or known[0].tag != other[0].tag or known[0].tag not in _ARRAYS:
        return False
    alternatives = known[0].tag == f"{{{RDF}}}Alt"
    said = {_key(item, alternatives): item for item in known[0]}
    whole = True
    for item in list(other[0]):
        mine = said.get(_key(item, alternatives))
        if mine is None:
            known[0].append(item)
        elif list(mine.itertext()) != list(item.itertext()):
            whole = False
    return whole


def _key(item: etree._Element, alternatives: bool) -> object:
    return item.get(LANG, "x-default") if alternatives else etree.tostring(item, with_tail=False)


def _copied(value: etree._Element, depth: int) -> etree._Element:
    """Return a property built anew. Raises ValueError with the reason if it is none that XMP knows."""
    if depth == 0:
        raise ValueError("nested too deep")
    if not all(_is_plain(str(name)) for name in (value.tag, *value.attrib)):
        raise ValueError("a name that some readers refuse")
    made = etree.Element(str(value.tag))
    for key, text in value.attrib.items():
        _copy_attribute(made, str(key), str(text))
    if any(isinstance(child, etree._Entity) for child in value):
        raise ValueError("an entity that stands for another file, or for nothing")
    words = (value.text or "") + "".join(child.tail or "" for child in value)
    children = [(str(child.tag), child) for child in value if isinstance(child.tag, str)]
    if children and words.strip():
        raise ValueError("text and elements mixed")
    if not children:
        made.text = words
    for tag, child in children:
        if tag.startswith(f"{{{RDF}}}") and tag not in {*_ARRAYS, _ITEM, _DESCRIPTION, _VALUE}:
            raise ValueError("not of XMP's form")
        if not tag.startswith("{"):
            raise ValueError("an element without a namespace")
        made.append(_copied(child, depth - 1))
    _require_form(made)
    return made


def _is_plain(name: str) -> bool:
    """Whether an expanded name is of letters that every edition of XML allows."""
    return _PLAIN_NAME.match(name.rpartition("}")[2]) is not None


def _copy_attribute(made: etree._Element, key: str, text: str) -> None:
    if key == _PARSE_TYPE and text != "Resource":
        raise ValueError("not of XMP's form")
    if key == LANG and not _LANGUAGE.match(text):
        return
    if key in {LANG, _RESOURCE, _PARSE_TYPE} or _is_property(key):
        made.set(key, text)


def _require_form(made: etree._Element) -> None:
    """Refuse what the RDF grammar forbids: strict readers give up the whole packet for it."""
    tags = [child.tag for child in made]
    arrays = [tag for tag in tags if tag in _ARRAYS or tag == _DESCRIPTION]
    if made.tag in _ARRAYS:
        if any(tag != _ITEM for tag in tags) or made.attrib or (made.text or "").strip():
            raise ValueError("an array with something else than items")
    elif len(set(tags)) < len(tags):
        raise ValueError("a field stands in it twice")
    elif _ITEM in tags:
        raise ValueError("an item outside of an array")
    elif made.tag == _DESCRIPTION:
        if arrays or (made.text or "").strip():
            raise ValueError("not of XMP's form")
    elif arrays and (len(tags) > 1 or set(made.attrib) - {LANG}):
        raise ValueError("not of XMP's form")
    elif tags and not arrays and made.get(_PARSE_TYPE) != "Resource":
        raise ValueError("a structure that is not said to be one")
    elif made.get(_RESOURCE) is not None and (tags or (made.text or "").strip()):
        raise ValueError("a reference with a content")
    elif any(_is_property(str(key)) for key in made.attrib) and (made.text or "").strip():
        raise ValueError("fields beside a text")


def array_items(value: etree._Element) -> list[etree._Element]:
    """Return the items of an array, or a simple property itself."""
    return list(value[0]) if len(value) == 1 and value[0].tag in _ARRAYS else [value]


def property_texts(value: etree._Element) -> tuple[str, ...]:
    """Return the texts of a simple property or an array."""
    return tuple(text for text in ((item.text or "").strip() for item in array_items(value)) if text)


def texts_by_language(value: etree._Element) -> Mapping[str, str]:
    """Return the texts of a property with alternatives, by language; a simple text is the default."""
    if len(value) != 1 or value[0].tag not in _ARRAYS:
        text = (value.text or "").strip()
        return {value.get(LANG, "x-default"): text} if text else {}
    found: dict[str, str] = {}
    for item in value[0]:
        if text := (item.text or "").strip():
            found.setdefault(item.get(LANG, "x-default"), text)
    return found
