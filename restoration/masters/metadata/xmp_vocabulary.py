"""The namespaces of XMP that a derivative speaks in, and how its properties are written."""

from collections.abc import Mapping, Sequence
from typing import Final

from lxml import etree

from restoration.masters.metadata.text_encoding import legal_xml_text

SAEK: Final = "urn:saek:xmp:1.0/"
"""Namespace of our own properties."""
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
NAMESPACES: Final = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "stRef": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "saek": SAEK,
}
_PREFIXES: Final = {uri: prefix for prefix, uri in NAMESPACES.items()}
_ARRAYS: Final = {
    "dc:creator": "Seq",
    "dc:date": "Seq",
    "dc:subject": "Bag",
    "dc:rights": "Alt",
    "dc:title": "Alt",
    "xmpRights:UsageTerms": "Alt",
}


def array_kind(name: str) -> str | None:
    """Return the kind of array that a property is by the standard, None for a simple or unknown one."""
    return _ARRAYS.get(name)


def new_description() -> etree._Element:
    """Return the element that holds all properties."""
    names: dict[str | None, str] = {"rdf": RDF}
    names.update(NAMESPACES)
    return etree.Element(expanded_name("rdf:Description"), {expanded_name("rdf:about"): ""}, nsmap=names)


def expanded_name(name: str) -> str:
    """Return the expanded name of prefix:local."""
    prefix, _, local = name.partition(":")
    return f"{{{RDF if prefix == 'rdf' else NAMESPACES[prefix]}}}{local}"


def prefixed_name(expanded: str) -> str:
    """Return prefix:local of an expanded name, or the name as it is if its namespace is none of ours."""
    namespace, _, local = expanded.removeprefix("{").partition("}")
    return f"{_PREFIXES[namespace]}:{local}" if namespace in _PREFIXES else expanded


def add_text(node: etree._Element, name: str, text: str) -> etree._Element:
    """Add a property with a text; what XML cannot hold is left out."""
    element = etree.SubElement(node, expanded_name(name))
    element.text = legal_xml_text(text)
    return element


def add_alternatives(node: etree._Element, name: str, texts: Mapping[str, str]) -> None:
    """Add a property with one text a language."""
    items = etree.SubElement(etree.SubElement(node, expanded_name(name)), expanded_name("rdf:Alt"))
    for language, text in texts.items():
        add_text(items, "rdf:li", text).set(LANG, language)


def add_structure(node: etree._Element, facts: Mapping[str, str]) -> None:
    """Make a property or an item a structure of texts."""
    node.set(expanded_name("rdf:parseType"), "Resource")
    for name, text in facts.items():
        add_text(node, name, text)


def add_texts(node: etree._Element, name: str, texts: Sequence[str]) -> set[str]:
    """Add a property in the form of the standard; return those of its texts that it has room for."""
    kind = array_kind(name)
    if kind == "Alt":
        add_alternatives(node, name, {"x-default": texts[0]})
    elif kind:
        items = etree.SubElement(etree.SubElement(node, expanded_name(name)), expanded_name(f"rdf:{kind}"))
        for text in texts:
            add_text(items, "rdf:li", text)
        return set(texts)
    else:
        add_text(node, name, texts[0])
    return {texts[0]}
