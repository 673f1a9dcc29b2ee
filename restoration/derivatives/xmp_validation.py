"""Validation of a finished XMP packet: readable by others, with the disclosure.

It uses another parser than the one that made the packet (expat), and is stricter than any reader: no
document type, entity, comment or CDATA, one description, each property once, and only RDF that XMP has.
"""

from collections.abc import Mapping
from typing import Final
from xml.etree import ElementTree

_RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"
_DESCRIPTION: Final = "{http://purl.org/dc/elements/1.1/}description"
_ARRAYS: Final = frozenset({f"{_RDF}Alt", f"{_RDF}Bag", f"{_RDF}Seq"})


def packet_fault(packet: bytes, required: Mapping[str, str], statement: str, own: str) -> str | None:
    """Return why a packet is invalid, None if it is valid.

    It must hold each property of `required` (expanded name: text) once, no other of the namespace `own`, and
    as its description in the default language a text that begins with `statement`.
    """
    if b"<!" in packet or b"]]>" in packet:
        return "it holds a document type, a comment or CDATA"
    try:
        root = ElementTree.fromstring(packet)  # noqa: S314  (without a document type there are no entities)
    except (ElementTree.ParseError, ValueError) as error:
        return f"it is not well-formed ({error})"
    return _malformed(root) or _missing_property(root, required, own) or _missing_statement(root, statement)


def _malformed(root: ElementTree.Element) -> str | None:
    if root.tag != "{adobe:ns:meta/}xmpmeta" or [child.tag for child in root] != [f"{_RDF}RDF"]:
        return "it is not XMP"
    descriptions = list(root[0])
    if len(descriptions) != 1 or descriptions[0].attrib != {f"{_RDF}about": ""}:
        return "it does not hold exactly one description"
    properties = {child.tag: child for child in descriptions[0]}
    if descriptions[0].tag != f"{_RDF}Description" or len(properties) != len(descriptions[0]):
        return "it holds a property twice"
    wrong = next((tag for tag, value in properties.items() if not _is_valid(tag, value)), None)
    return None if wrong is None else f"{wrong} does not have the form that XMP requires"


def _missing_property(root: ElementTree.Element, required: Mapping[str, str], own: str) -> str | None:
    for name, text in required.items():
        said = root[0][0].findall(name)
        if [one.text or "" for one in said] != [text] or len(list(root.iter(name))) != 1:
            return f"{name} does not occur exactly once"
    for element in root.iter():
        names = (element.tag, *element.attrib)
        if any(name.startswith(f"{{{own}}}") and name not in required for name in names):
            return f"it holds an unknown property of Saek's namespace: {element.tag}"
    return None


def _missing_statement(root: ElementTree.Element, statement: str) -> str | None:
    described = root[0][0].find(_DESCRIPTION)
    items = [] if described is None or len(described) != 1 else list(described[0])
    if not items or items[0].get(f"{_XML}lang") != "x-default":
        return "it has no description in the default language"
    if not (items[0].text or "").startswith(statement):
        return "its description does not begin with the statement"
    languages = [item.get(f"{_XML}lang") for item in items]
    return None if len(set(languages)) == len(languages) else "a language has two descriptions"


def _is_valid(tag: str, value: ElementTree.Element) -> bool:
    """Return whether a property or item is a text, a reference, an array or a structure, all the way down."""
    attributes = set(value.attrib) - {f"{_XML}lang"}
    if not len(value):
        return tag.startswith("{") and _are_plain(attributes - {f"{_RDF}resource", f"{_RDF}parseType"})
    if (value.text or "").strip() or any((child.tail or "").strip() for child in value):
        return False
    if value.get(f"{_RDF}parseType") == "Resource":
        return attributes == {f"{_RDF}parseType"} and _are_fields(value)
    (child, *more) = value
    return tag.startswith("{") and not more and not attributes and _is_node(child)


def _is_node(child: ElementTree.Element) -> bool:
    """Return whether an element is an array or a structure."""
    if child.tag in _ARRAYS:
        items = [item for item in child if item.tag == f"{_RDF}li" and _is_valid(item.tag, item)]
        return not child.attrib and len(items) == len(child)
    return child.tag == f"{_RDF}Description" and _are_plain(set(child.attrib)) and _are_fields(child)


def _are_fields(structure: ElementTree.Element) -> bool:
    tags = [child.tag for child in structure]
    return len(set(tags)) == len(tags) and all(
        (not child.tag.startswith(_RDF) or child.tag == f"{_RDF}value") and _is_valid(child.tag, child)
        for child in structure
    )


def _are_plain(names: set[str]) -> bool:
    return all(name.startswith("{") and not name.startswith((_RDF, _XML)) for name in names)
