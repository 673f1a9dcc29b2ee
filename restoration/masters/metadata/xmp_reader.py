"""Properties of a foreign XMP packet, rebuilt so that they cannot harm the packet they are copied into.

Each property is rebuilt from elements, attributes and text, and its depth and size are bounded. Comments,
processing instructions, and RDF that XMP does not allow (XMP part 1, section 7) are left out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from lxml import etree

from restoration.masters.metadata.xmp_packet import parse_packet
from restoration.masters.metadata.xmp_vocabulary import LANG, RDF

META: Final = "adobe:ns:meta/"
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"
_EXTENDED: Final = "{http://ns.adobe.com/xmp/note/}HasExtendedXMP"

MAX_BYTES: Final = 16_000_000
"""Bytes of a packet."""
_MAX_PROPERTIES, _MAX_PARTS, _MAX_MERGED = 1_000, 5_000, 100
_MAX_DEPTH: Final = 16
_ARRAYS: Final = frozenset({f"{{{RDF}}}{kind}" for kind in ("Alt", "Bag", "Seq")})
_ITEM, _DESCRIPTION, _VALUE = f"{{{RDF}}}li", f"{{{RDF}}}Description", f"{{{RDF}}}value"
_PARSE_TYPE, _RESOURCE = f"{{{RDF}}}parseType", f"{{{RDF}}}resource"
_LANGUAGE: Final = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*\Z", re.ASCII)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z", re.ASCII)


@dataclass(slots=True)
class XmpProperties:
    """The properties of a packet by expanded name."""

    properties: dict[str, etree._Element] = field(default_factory=dict)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Properties that are not carried: expanded name and reason."""
    noted: list[str] = field(default_factory=list)
    damaged: bool = False
    merged: int = 0
    """Number of properties whose two values were merged."""


def read_xmp(packet: bytes, extension: bytes | None = None) -> XmpProperties:
    """Return the properties of a packet and of its extension, which a JPEG may have; never fails."""
    found = XmpProperties()
    for part in (packet, extension):
        if part is None or not part.strip(b"\0 \r\n\t"):
            continue
        if len(part) > MAX_BYTES:
            found.left_out.append(("XMP", f"longer than {MAX_BYTES:,} bytes"))
            continue
        root, notes = parse_packet(part)
        found.noted.extend(notes)
        if root is None:
            found.damaged = True
            continue
        for name, value in _property_elements(root):
            _add_property(found, name, value)
    found.properties.pop(_EXTENDED, None)
    return found


def iterate_properties(packet: bytes) -> Iterator[tuple[str, etree._Element]]:
    """Yield expanded name and element of each property as it is; nothing if the packet is not XMP."""
    root = parse_packet(packet)[0] if packet else None
    return iter(()) if root is None else _property_elements(root)


def _property_elements(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Yield name and element of each property; a property in attribute form becomes an element."""
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
    """Return whether an expanded name is that of a property, not of RDF or XML itself."""
    return name.startswith("{") and not name.startswith((f"{{{RDF}}}", f"{{{META}}}", _XML, "{}"))


def _add_property(found: XmpProperties, name: str, value: etree._Element) -> None:
    if len(found.left_out) > _MAX_PROPERTIES:
        return
    if next(islice(value.iter(), _MAX_PARTS, None), None) is not None:
        found.left_out.append((name, f"more than {_MAX_PARTS:,} parts"))
        return
    try:
        made = _copied(value, _MAX_DEPTH)
    except ValueError as error:
        found.left_out.append((name, str(error)))
        return
    known = found.properties.get(name)
    if known is None and len(found.properties) >= _MAX_PROPERTIES:
        found.left_out.append(("XMP", f"more than {_MAX_PROPERTIES:,} properties"))
    elif known is None:
        found.properties[name] = made
    elif found.merged >= _MAX_MERGED or not _merged(known, made):
        found.left_out.append((name, "a second value"))
    else:
        found.merged += 1


def _merged(known: etree._Element, other: etree._Element) -> bool:
    """Add the items of an array to another of the same type; return whether nothing was lost."""
    if list(known.itertext()) == list(other.itertext()):
        return True
    if len(known) != 1 or len(other) != 1 or known[0].tag != other[0].tag or known[0].tag not in _ARRAYS:
        return False
    alternatives = known[0].tag == f"{{{RDF}}}Alt"
    known_items = {_key(item, alternatives): item for item in known[0]}
    whole = True
    for item in list(other[0]):
        mine = known_items.get(_key(item, alternatives))
        if mine is None:
            known[0].append(item)
        elif list(mine.itertext()) != list(item.itertext()):
            whole = False
    return whole


def _key(item: etree._Element, alternatives: bool) -> object:
    return item.get(LANG, "x-default") if alternatives else etree.tostring(item, with_tail=False)


def _copied(value: etree._Element, depth: int) -> etree._Element:
    """Return a property rebuilt. Raises ValueError with the reason if XMP does not allow it."""
    if depth == 0:
        raise ValueError("nested too deep")
    if not all(_is_plain(str(name)) for name in (value.tag, *value.attrib)):
        raise ValueError("a name that some readers refuse")
    made = etree.Element(str(value.tag))
    for key, text in value.attrib.items():
        _copy_attribute(made, str(key), str(text))
    if any(isinstance(child, etree._Entity) for child in value):
        raise ValueError("an entity for another file, or without a value")
    words = (value.text or "") + "".join(child.tail or "" for child in value)
    children = [(str(child.tag), child) for child in value if isinstance(child.tag, str)]
    if children and words.strip():
        raise ValueError("text and elements mixed")
    if not children:
        made.text = words
    for tag, child in children:
        if tag.startswith(f"{{{RDF}}}") and tag not in {*_ARRAYS, _ITEM, _DESCRIPTION, _VALUE}:
            raise ValueError("not allowed in XMP")
        if not tag.startswith("{"):
            raise ValueError("an element without a namespace")
        made.append(_copied(child, depth - 1))
    _require_form(made)
    return made


def _is_plain(name: str) -> bool:
    """Return whether the local part of a name has only characters that every edition of XML allows."""
    return _PLAIN_NAME.match(name.rpartition("}")[2]) is not None


def _copy_attribute(made: etree._Element, key: str, text: str) -> None:
    if key == _PARSE_TYPE and text != "Resource":
        raise ValueError("not allowed in XMP")
    if key == LANG and not _LANGUAGE.match(text):
        return
    if key in {LANG, _RESOURCE, _PARSE_TYPE} or _is_property(key):
        made.set(key, text)


def _require_form(made: etree._Element) -> None:
    """Raise ValueError for what the RDF grammar forbids: strict readers reject the whole packet for it."""
    tags = [child.tag for child in made]
    arrays = [tag for tag in tags if tag in _ARRAYS or tag == _DESCRIPTION]
    if made.tag in _ARRAYS:
        if any(tag != _ITEM for tag in tags) or made.attrib or (made.text or "").strip():
            raise ValueError("an array with something other than items")
    elif len(set(tags)) < len(tags):
        raise ValueError("a field is in it twice")
    elif _ITEM in tags:
        raise ValueError("an item outside of an array")
    elif made.tag == _DESCRIPTION:
        if arrays or (made.text or "").strip():
            raise ValueError("not allowed in XMP")
    elif arrays and (len(tags) > 1 or set(made.attrib) - {LANG}):
        raise ValueError("not allowed in XMP")
    elif tags and not arrays and made.get(_PARSE_TYPE) != "Resource":
        raise ValueError("a structure without rdf:parseType")
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
    """Return the texts of a language alternative by language; a simple text is the default language."""
    if len(value) != 1 or value[0].tag not in _ARRAYS:
        text = (value.text or "").strip()
        return {value.get(LANG, "x-default"): text} if text else {}
    found: dict[str, str] = {}
    for item in value[0]:
        if text := (item.text or "").strip():
            found.setdefault(item.get(LANG, "x-default"), text)
    return found
