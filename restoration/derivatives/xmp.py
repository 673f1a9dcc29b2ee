"""The XMP disclosure packet: it says that the colors are inferred, by which model, from which master.

Follows IPTC Photo Metadata 2025.1 (digital source type, AI system) and XMP part 2 (media management). The
luma error of a JPEG is known only after its pixels: its packet is written with fixed-width marks that
`with_luma_error` replaces, so that nothing is written twice.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from lxml import etree

from restoration.derivatives import xmp_validation
from restoration.derivatives.carried_metadata import CarriedMetadata, carry_metadata
from restoration.errors import display_name
from restoration.masters.facts import Tone
from restoration.masters.metadata.embedded import MasterMetadata
from restoration.masters.metadata.xmp_vocabulary import (
    RDF,
    SAEK,
    add_alternatives,
    add_structure,
    add_text,
    expanded_name,
    new_description,
)
from restoration.results import MetadataReport

SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
STATEMENTS: Final = {
    "x-default": "Colors inferred by AI from a monochrome scan; they are no evidence of the original colors.",
    "ko": "흑백 스캔에 인공지능이 추정하여 입힌 색입니다. 원래 색을 보여 주는 증거가 아닙니다.",
    "en": "Colors inferred by AI from a monochrome scan; they are no evidence of the original colors.",
}

CONFIDENCE_SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/dataDrivenMedia"
CONFIDENCE_STATEMENTS: Final = {
    "x-default": "Map, no photograph: how far the colors that AI inferred for a monochrome scan can be "
    "trusted, from not at all (black) to fully (white).",
    "ko": "사진이 아닙니다. 흑백 스캔에 인공지능이 추정한 색을 얼마나 믿을 수 있는지 나타낸 지도입니다"
    "(검정: 전혀, 흰색: 완전히).",
}

MAX_JPEG_BYTES: Final = 60_000
"""Size of a packet that fits one APP1 segment with its header."""

MAX_PACKET_BYTES: Final = 4_000_000
"""Size of any packet; readers give up on longer ones."""

_X: Final = "adobe:ns:meta/"
_SHORT, _FEW = 1_000, 20
_MOST_NAMES, _LONGEST_NAME = 200, 300
_MAX_MARK, _MEAN_MARK = "#" * 5, "#" * 9


@dataclass(frozen=True, slots=True)
class Provenance:
    """Facts about the making of a derivative that the disclosure states."""

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


def disclosure_packet(
    made: Provenance, master: MasterMetadata, most_bytes: int = MAX_PACKET_BYTES
) -> tuple[bytes, MetadataReport]:
    """Return the XMP packet, of `most_bytes` at most, and what became of the master's metadata.

    The packet is checked to be readable and to hold the disclosure (`xmp_validation`). Metadata of the master
    that prevent that, or are too long, are left out and reported.
    """
    ours = _build(made, MasterMetadata())[0]
    required = {str(one.tag): one.text or "" for one in ours if not len(one)}
    reason = ""
    for attempt in _attempts(master):
        node, found = _build(made, attempt(reason))
        content = _wrapped(node)
        if len(content) > most_bytes:
            reason = "too long"
        elif fault := xmp_validation.packet_fault(content, required, STATEMENTS["x-default"], SAEK):
            reason = f"with it the disclosure could not be read: {fault}"
        else:
            return content, _report(found, attempt(reason))
    raise ValueError(f"the disclosure cannot be written: {reason}")


def _attempts(master: MasterMetadata) -> Iterator[Callable[[str], MasterMetadata]]:
    """Yield the master's metadata, first whole and then with more and more left out, each with the reason."""

    def without_xmp(reason: str) -> MasterMetadata:
        unread = (*master.unread, *([f"XMP ({reason})"] if master.xmp else []))
        return replace(master, xmp=None, extension=None, unread=unread)

    def only_short(reason: str) -> MasterMetadata:
        short = {
            name: texts
            for name, texts in master.fields.items()
            if sum(map(len, texts)) <= _SHORT and len(texts) <= _FEW
        }
        long = tuple(f"{name} ({reason})" for name in master.fields if name not in short)
        left = without_xmp(reason)
        return replace(left, fields=short, left_out=(*master.left_out, *long))

    def nothing(reason: str) -> MasterMetadata:
        left = tuple(f"{name} ({reason})" for name in master.fields)
        return replace(without_xmp(reason), fields={}, left_out=(*master.left_out, *left))

    yield lambda _: master
    yield without_xmp
    yield only_short
    yield nothing


def _build(made: Provenance, master: MasterMetadata) -> tuple[etree._Element, CarriedMetadata]:
    node = new_description()
    found = carry_metadata(master, node)
    _add_description(node, made, found.captions)
    changes = f"colors inferred by model {made.model}{_adjustment(made)}; luminance of the master kept"
    _add_provenance(node, made, made.recipe_fingerprint, changes)
    _add_parameters(node, made)
    return node, found


def _report(found: CarriedMetadata, master: MasterMetadata) -> MetadataReport:
    """Return what became of the metadata, in names that are printable and not too many."""

    def told(names: Sequence[str]) -> tuple[str, ...]:
        shown = [_shortened(display_name(name)) for name in dict.fromkeys(names)]
        more = len(shown) - _MOST_NAMES
        return (*shown[:_MOST_NAMES], *([f"and {more:,} more"] if more > 0 else []))

    return MetadataReport(
        carried=told(found.carried),
        replaced=(),
        dropped=told((*found.dropped, *master.unread, *master.left_out)),
        noted=told((*master.noted, *found.noted)),
    )


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def confidence_packet(made: Provenance) -> bytes:
    """Return the XMP packet of a confidence map of the colors that `made` describes."""
    node = new_description()
    add_alternatives(node, "dc:description", CONFIDENCE_STATEMENTS)
    add_text(node, "Iptc4xmpExt:DigitalSourceType", CONFIDENCE_SOURCE_TYPE)
    _add_software(node, made)
    changes = f"confidence of the colors inferred by model {made.model}, before strength and warmth"
    _add_provenance(node, made, f"{made.recipe_fingerprint}:confidence", changes)
    return _wrapped(node)


def _wrapped(node: etree._Element) -> bytes:
    meta = etree.Element(f"{{{_X}}}xmpmeta", nsmap={"x": _X})
    rdf = etree.SubElement(meta, expanded_name("rdf:RDF"), nsmap={"rdf": RDF})
    rdf.append(node)
    body = etree.tostring(meta, encoding="utf-8", pretty_print=True)
    head, tail = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n', '<?xpacket end="w"?>'
    return head.encode() + body + tail.encode()


def with_luma_error(content: bytes, largest: int, mean: float) -> bytes:
    """Return the packet, of the same length, with the measured luma error in place of its marks.

    The marks are found by their elements: no text of a packet holds a "<". Raises ValueError if there are
    none.
    """
    for name, mark, value in (
        ("lumaMaxError", _MAX_MARK, f"{largest:05d}"),
        ("lumaMeanError", _MEAN_MARK, f"{mean:09.4f}"),
    ):
        head, tail = f"<saek:{name}>", f"</saek:{name}>"
        marked = f"{head}{mark}{tail}".encode()
        if content.count(marked) != 1 or len(value) != len(mark):
            raise ValueError("the packet holds no marks for the luma error")
        content = content.replace(marked, f"{head}{value}{tail}".encode())
    return content


def document_id(made_from: str, fingerprint: str) -> str:
    """Return the identity of a derivative: the same each time the same master meets the same recipe."""
    return f"urn:sha256:{hashlib.sha256(f'{made_from}:{fingerprint}'.encode()).hexdigest()}"


def _add_description(node: etree._Element, made: Provenance, captions: Mapping[str, str]) -> None:
    spoken = {}
    for language in dict.fromkeys((*STATEMENTS, *captions)):
        caption = captions.get(language) or captions.get("x-default", "")
        statement = STATEMENTS.get(language, STATEMENTS["x-default"])
        spoken[language] = f"{statement} | {caption}" if caption else statement
    add_alternatives(node, "dc:description", spoken)
    add_text(node, "Iptc4xmpExt:DigitalSourceType", SOURCE_TYPE)
    _add_software(node, made)


def _add_software(node: etree._Element, made: Provenance) -> None:
    add_text(node, "Iptc4xmpExt:AISystemUsed", f"Saek, model {made.model}")
    add_text(node, "Iptc4xmpExt:AISystemVersionUsed", f"{made.software}, weights sha256 {made.weights}")
    add_text(node, "xmp:CreatorTool", made.software)


def _add_provenance(node: etree._Element, made: Provenance, made_how: str, changes: str) -> None:
    when = made.made.isoformat(timespec="seconds")
    original = f"urn:sha256:{made.master_sha256}"
    identity = document_id(made.master_sha256, made_how)
    add_text(node, "dc:source", f"{display_name(made.master_name)} ({original})")
    add_text(node, "xmp:MetadataDate", when)
    add_text(node, "xmpMM:DocumentID", identity)
    add_text(node, "xmpMM:OriginalDocumentID", original)
    reference = {"stRef:documentID": original, "stRef:originalDocumentID": original}
    add_structure(etree.SubElement(node, expanded_name("xmpMM:DerivedFrom")), reference)
    history = etree.SubElement(
        etree.SubElement(node, expanded_name("xmpMM:History")), expanded_name("rdf:Seq")
    )
    event = {
        "stEvt:action": "derived",
        "stEvt:when": when,
        "stEvt:softwareAgent": made.software,
        "stEvt:instanceID": identity,
        "stEvt:parameters": changes,
    }
    add_structure(etree.SubElement(history, expanded_name("rdf:li")), event)
    own = {
        "masterSha256": made.master_sha256,
        "weightsSha256": made.weights,
        "recipeFingerprint": made.recipe_fingerprint,
        "removedTone": f"{made.tone.kind} cb={made.tone.cb:+.4f} cr={made.tone.cr:+.4f}",
        **made.tags,
    }
    for name, value in own.items():
        add_text(node, f"saek:{name}", value)


def _add_parameters(node: etree._Element, made: Provenance) -> None:
    add_text(node, "saek:strength", f"{made.strength:g}")
    add_text(node, "saek:warmth", f"{made.warmth:g}")
    add_text(node, "saek:lumaMaxError", "0" if made.lossless else _MAX_MARK)
    add_text(node, "saek:lumaMeanError", "0" if made.lossless else _MEAN_MARK)


def _adjustment(made: Provenance) -> str:
    """Return how a person changed the colors that the model inferred, '' if not at all."""
    parts = [f"strength {made.strength:g}"] if made.strength != 1 else []
    parts += [f"warmth {made.warmth:+g}"] if made.warmth else []
    return f", changed by {' and '.join(parts)}" if parts else ""
