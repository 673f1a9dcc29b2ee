"""XMP namespaces of a derivative, and writers for its properties (XMP part 1)."""

from collections.abc import Mapping, Sequence
from typing import Final

from lxml import etree

from restoration.masters.metadata.text_encoding import legal_xml_text

SAEK: Final = "urn:saek:xmp:1.0/"
"""Namespace of Saek's own properties."""
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
    """Return the array type (Seq, Bag or Alt) of a standard property, None for any other."""
    return _ARRAYS.get(name)


def new_description() -> etree._Element:
    """Return an empty rdf:Description, the element that holds all properties."""
    names: dict[str | None, str] = {"rdf": RDF}
    names.update(NAMESPACES)
    return etree.Element(expanded_name("rdf:Description"), {expanded_name("rdf:about"): ""}, nsmap=names)


def expanded_name(name: str) -> str:
    """Return the expanded name of prefix:local."""
    prefix, _, local = name.partition(":")
    return f"{{{RDF if prefix == 'rdf' else NAMESPACES[prefix]}}}{local}"


def prefixed_name(expanded: str) -> str:
    """Return prefix:local of an expanded name, or the name itself if its namespace is unknown."""
    namespace, _, local = expanded.removeprefix("{").partition("}")
    return f"{_PREFIXES[namespace]}:{local}" if namespace in _PREFIXES else expanded


def add_text(node: etree._Element, name: str, text: str) -> etree._Element:
    """Add a text property, without characters that XML cannot hold."""
    element = etree.SubElement(node, expanded_name(name))
    element.text = legal_xml_text(text)
    return element


def add_alternatives(node: etree._Element, name: str, texts: Mapping[str, str]) -> None:
    """Add a language alternative: one text per language."""
    items = etree.SubElement(etree.SubElement(node, expanded_name(name)), expanded_name("rdf:Alt"))
    for language, text in texts.items():
        add_text(items, "rdf:li", text).set(LANG, language)


def add_structure(node: etree._Element, fields: Mapping[str, str]) -> None:
    """Turn a property or an item into a structure of text fields."""
    node.set(expanded_name("rdf:parseType"), "Resource")
    for name, text in fields.items():
        add_text(node, name, text)


def add_texts(node: etree._Element, name: str, texts: Sequence[str]) -> set[str]:
    """Add a property in its standard form; return the texts that this form can hold."""
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
