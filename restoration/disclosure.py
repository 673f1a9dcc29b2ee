"""How a derivative says, in its XMP packet, that its color is invented, by what, and from which master.

Follows IPTC Photo Metadata 2025.1 (digital source type, AI system) and XMP part 2 (media management). The
luma error of a JPEG is known only after its pixels: its packet is written with fixed-width marks that
`settle_luma_error` overwrites in place, so that nothing is written twice.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from restoration.metadata import MasterMetadata
from restoration.outcome import MetadataReport, Tone

SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
SAEK: Final = "urn:saek:xmp:1.0/"
"""Namespace of our own properties."""
STATEMENTS: Final = {
    "x-default": "Colors inferred by AI from a monochrome scan; they are no evidence of the original colors.",
    "ko": "흑백 스캔에 인공지능이 추정하여 입힌 색입니다. 원래 색을 보여 주는 증거가 아닙니다.",
    "en": "Colors inferred by AI from a monochrome scan; they are no evidence of the original colors.",
}

MAP_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/dataDrivenMedia"
MAP_STATEMENTS: Final = {
    "x-default": "Map, no photograph: how far the colors that AI inferred for a monochrome scan can be "
    "trusted, from not at all (black) to fully (white).",
    "ko": "사진이 아닙니다. 흑백 스캔에 인공지능이 추정한 색을 얼마나 믿을 수 있는지 나타낸 지도입니다"
    "(검정: 전혀, 흰색: 완전히).",
}

_X = "adobe:ns:meta/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_NAMESPACES: Final = {
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
_KEPT = {"dc", "xmpRights", "photoshop", "Iptc4xmpCore", "Iptc4xmpExt", "plus"}
_KEPT_SINGLY = {"exif:DateTimeOriginal", "xmp:CreateDate", "xmp:Rating", "xmp:Label"}
_OURS = {
    "dc:description",
    "dc:format",
    "dc:source",
    "Iptc4xmpExt:DigitalSourceType",
    "Iptc4xmpExt:AISystemUsed",
    "Iptc4xmpExt:AISystemVersionUsed",
    "photoshop:ICCProfile",
    "photoshop:ColorMode",
    "photoshop:History",
    "photoshop:LegacyIPTCDigest",
    "photoshop:DocumentAncestors",
}
_LISTS = {"dc:creator": "Seq", "dc:subject": "Bag", "dc:rights": "Alt", "dc:title": "Alt"}

MAX_JPEG_BYTES: Final = 60_000
"""What one APP1 segment holds, with room for its header."""

_MAX_MARK, _MEAN_MARK = "#" * 5, "#" * 9


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the disclosure tells of the making."""

    master_name: str
    master_sha256: str
    model: str
    weights: str
    recipe_fingerprint: str
    strength: float
    """Gain that the predicted chroma was given."""
    warmth: float
    """Tilt that it was given, 0 for none."""
    software: str
    tone: Tone
    lossless: bool
    """The luma error is then 0: it is a condition for the file to exist."""
    made: dt.datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    """Own facts, written as saek:NAME; names are XML names."""


def packet(made: Provenance, master: MasterMetadata) -> tuple[bytes, MetadataReport]:
    """Return the XMP packet and what became of the master's metadata."""
    description = _description()
    captions, carried, dropped = _keep(master, description)
    _say_what_it_is(description, made, captions)
    changes = f"colors inferred by model {made.model}{_adjustment(made)}; luminance of the master kept"
    _say_where_it_comes_from(description, made, made.recipe_fingerprint, changes)
    _say_how(description, made)
    report = MetadataReport(tuple(carried), (), (*dropped, *master.unread, *master.left_out))
    return _wrapped(description), report


def map_packet(made: Provenance) -> bytes:
    """Return the XMP packet of a confidence map of the colors that `made` tells of."""
    description = _description()
    _alternatives(description, "dc:description", MAP_STATEMENTS)
    _text(description, "Iptc4xmpExt:DigitalSourceType", MAP_TYPE)
    _say_by_what(description, made)
    changes = f"confidence of the colors inferred by model {made.model}, before strength and warmth"
    _say_where_it_comes_from(description, made, f"{made.recipe_fingerprint}:confidence", changes)
    return _wrapped(description)


def _description() -> etree._Element:
    return etree.Element(_q("rdf:Description"), {_q("rdf:about"): ""}, nsmap=_nsmap())


def _wrapped(description: etree._Element) -> bytes:
    meta = etree.Element(f"{{{_X}}}xmpmeta", nsmap={"x": _X})
    rdf = etree.SubElement(meta, _q("rdf:RDF"), nsmap={"rdf": _RDF})
    rdf.append(description)
    body = etree.tostring(meta, encoding="utf-8", pretty_print=True)
    head, tail = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n', '<?xpacket end="w"?>'
    return head.encode() + body + tail.encode()


def settle_luma_error(head: bytes, largest: int, mean: float) -> bytes:
    """Return the first bytes of a JPEG with the marks of its packet replaced by the measured error."""
    settled = head.replace(_MAX_MARK.encode(), f"{largest:05d}".encode(), 1)
    settled = settled.replace(_MEAN_MARK.encode(), f"{mean:09.4f}".encode(), 1)
    if settled.count(b"#" * 5) != head.count(b"#" * 5) - 2 or len(settled) != len(head):
        raise ValueError("the packet holds no marks for the luma error")
    return settled


def document_id(made_from: str, fingerprint: str) -> str:
    """Return the identity of a derivative: the same each time the same master meets the same recipe."""
    return f"urn:sha256:{hashlib.sha256(f'{made_from}:{fingerprint}'.encode()).hexdigest()}"


def facts_in(xmp: bytes) -> dict[str, str]:
    """Return the saek properties of a packet that `packet` wrote, empty for any other."""
    root = _parse(xmp)
    if root is None:
        return {}
    prefix = f"{{{SAEK}}}"
    nodes = root.iter(f"{prefix}*")
    return {str(n.tag).removeprefix(prefix): n.text or "" for n in nodes if isinstance(n.tag, str)}


def _say_what_it_is(node: etree._Element, made: Provenance, captions: Mapping[str, str]) -> None:
    spoken = {}
    for language in dict.fromkeys((*STATEMENTS, *captions)):
        caption = captions.get(language) or captions.get("x-default", "")
        statement = STATEMENTS.get(language, STATEMENTS["x-default"])
        spoken[language] = f"{statement} | {caption}" if caption else statement
    _alternatives(node, "dc:description", spoken)
    _text(node, "Iptc4xmpExt:DigitalSourceType", SOURCE_TYPE)
    _say_by_what(node, made)


def _say_by_what(node: etree._Element, made: Provenance) -> None:
    _text(node, "Iptc4xmpExt:AISystemUsed", f"Saek, model {made.model}")
    _text(node, "Iptc4xmpExt:AISystemVersionUsed", f"{made.software}, weights sha256 {made.weights}")
    _text(node, "xmp:CreatorTool", made.software)


def _say_where_it_comes_from(node: etree._Element, made: Provenance, made_how: str, changes: str) -> None:
    when = made.made.isoformat(timespec="seconds")
    original = f"urn:sha256:{made.master_sha256}"
    identity = document_id(made.master_sha256, made_how)
    _text(node, "dc:source", f"{made.master_name} ({original})")
    _text(node, "xmp:MetadataDate", when)
    _text(node, "xmpMM:DocumentID", identity)
    _text(node, "xmpMM:OriginalDocumentID", original)
    reference = {"stRef:documentID": original, "stRef:originalDocumentID": original}
    _structure(etree.SubElement(node, _q("xmpMM:DerivedFrom")), reference)
    history = etree.SubElement(etree.SubElement(node, _q("xmpMM:History")), _q("rdf:Seq"))
    event = {
        "stEvt:action": "derived",
        "stEvt:when": when,
        "stEvt:softwareAgent": made.software,
        "stEvt:instanceID": identity,
        "stEvt:parameters": changes,
    }
    _structure(etree.SubElement(history, _q("rdf:li")), event)
    own = {
        "masterSha256": made.master_sha256,
        "weightsSha256": made.weights,
        "recipeFingerprint": made.recipe_fingerprint,
        "removedTone": f"{made.tone.kind} cb={made.tone.cb:+.4f} cr={made.tone.cr:+.4f}",
        **made.tags,
    }
    for name, value in own.items():
        _text(node, f"saek:{name}", value)


def _say_how(node: etree._Element, made: Provenance) -> None:
    _text(node, "saek:strength", f"{made.strength:g}")
    _text(node, "saek:warmth", f"{made.warmth:g}")
    _text(node, "saek:lumaMaxError", "0" if made.lossless else _MAX_MARK)
    _text(node, "saek:lumaMeanError", "0" if made.lossless else _MEAN_MARK)


def _adjustment(made: Provenance) -> str:
    """Tell how a person changed the colors that the model inferred, '' if nobody did."""
    parts = [f"strength {made.strength:g}"] if made.strength != 1 else []
    parts += [f"warmth {made.warmth:+g}"] if made.warmth else []
    return f", changed by {' and '.join(parts)}" if parts else ""


def _keep(master: MasterMetadata, node: etree._Element) -> tuple[dict[str, str], list[str], list[str]]:
    """Copy the master's properties; return its captions by language, what was kept and what not."""
    captions: dict[str, str] = {}
    carried: list[str] = []
    dropped: list[str] = []
    root = _parse(master.xmp) if master.xmp else None
    if master.xmp and root is None:
        dropped.append("XMP (damaged)")
    said: dict[str, set[str]] = {}
    for name, value in _properties(root):
        said[name] = {text.strip() for text in value.itertext() if text.strip()}
        if name == "dc:description":
            captions |= _captions(value)
            carried.append(name)
        elif name not in _OURS and (name.partition(":")[0] in _KEPT or name in _KEPT_SINGLY):
            node.append(value)
            carried.append(name)
        else:
            dropped.append(name)
    for name, texts in master.fields.items():
        if name == "dc:description":
            captions.setdefault("x-default", texts[0])
            kept = set(captions.values())
        elif name in carried:
            kept = said[name]
        else:
            kept = _text_or_list(node, name, texts)
        if name not in carried:
            carried.append(name)
        if not kept.issuperset(texts):
            dropped.append(f"{name} (another value, outside XMP)")
    return captions, carried, dropped


def _parse(xmp: bytes) -> etree._Element | None:
    """Parse foreign XML: no entities, no network, no depth or size out of bounds."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(xmp.strip(b"\0 \r\n\t"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _properties(root: etree._Element | None) -> Sequence[tuple[str, etree._Element]]:
    """Return name and element of each property; those in attribute form become elements."""
    found: list[tuple[str, etree._Element]] = []
    if root is None:
        return found
    for description in root.iterfind(f".//{{{_RDF}}}RDF/{{{_RDF}}}Description"):
        for key, text in description.attrib.items():
            if name := _name(str(key)):
                element = etree.Element(str(key))
                element.text = str(text)
                found.append((name, element))
        found.extend((name, child) for child in description if (name := _name(str(child.tag))))
    return found


def _captions(value: etree._Element) -> dict[str, str]:
    items = {str(li.get(_XML_LANG, "x-default")): (li.text or "").strip() for li in value.iter(_q("rdf:li"))}
    if not items and value.text:
        items = {"x-default": value.text.strip()}
    return {language: text for language, text in items.items() if text}


def _name(key: str) -> str:
    """Return prefix:local of an expanded name, '' for what belongs to RDF or XML itself."""
    namespace, _, local = key.removeprefix("{").partition("}")
    if not local or namespace in {_RDF, _X} or "xmlns" in local or namespace.endswith("/XML/1998/namespace"):
        return ""
    prefixes = {uri: prefix for prefix, uri in _NAMESPACES.items()}
    return f"{prefixes[namespace]}:{local}" if namespace in prefixes else key


def _text_or_list(node: etree._Element, name: str, texts: Sequence[str]) -> set[str]:
    """Write a property; return those of its texts that it has room for."""
    kind = _LISTS.get(name)
    if kind == "Alt":
        _alternatives(node, name, {"x-default": texts[0]})
    elif kind:
        items = etree.SubElement(etree.SubElement(node, _q(name)), _q(f"rdf:{kind}"))
        for text in texts:
            _text(items, "rdf:li", text)
        return set(texts)
    else:
        _text(node, name, texts[0])
    return {texts[0]}


def _alternatives(node: etree._Element, name: str, texts: Mapping[str, str]) -> None:
    items = etree.SubElement(etree.SubElement(node, _q(name)), _q("rdf:Alt"))
    for language, text in texts.items():
        _text(items, "rdf:li", text).set(_XML_LANG, language)


def _structure(node: etree._Element, facts: Mapping[str, str]) -> None:
    node.set(_q("rdf:parseType"), "Resource")
    for name, text in facts.items():
        _text(node, name, text)


def _text(node: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(node, _q(name))
    element.text = text
    return element


def _nsmap() -> dict[str | None, str]:
    names: dict[str | None, str] = {"rdf": _RDF}
    names.update(_NAMESPACES)
    return names


def _q(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{_RDF if prefix == 'rdf' else _NAMESPACES[prefix]}}}{local}"
