"""Transfer of the master's descriptive and rights metadata to the XMP of its derivative.

Properties of the file (its size, profile, history) and those that the disclosure sets itself are dropped. XMP
takes precedence over all other blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from lxml import etree

from restoration.masters.metadata import dates, xmp_reader
from restoration.masters.metadata.embedded import MasterMetadata
from restoration.masters.metadata.xmp_vocabulary import (
    LANG,
    SAEK,
    add_alternatives,
    add_texts,
    array_kind,
    new_description,
    prefixed_name,
)

_KEPT: Final = frozenset({"dc", "xmpRights", "photoshop", "Iptc4xmpCore", "Iptc4xmpExt", "plus"})
_KEPT_SINGLY: Final = frozenset({"exif:DateTimeOriginal", "xmp:CreateDate", "xmp:Rating", "xmp:Label"})
_OURS: Final = frozenset(
    {
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
)
_DATES: Final = frozenset({"exif:DateTimeOriginal", "xmp:CreateDate", "photoshop:DateCreated", "dc:date"})
_OUTSIDE: Final = frozenset({"dc:title", "dc:creator", "dc:rights", "exif:DateTimeOriginal"})
_MOST_LANGUAGES: Final = 64


@dataclass(slots=True)
class CarriedMetadata:
    """Metadata that a derivative takes over from its master, and those that it does not."""

    captions: dict[str, str] = field(default_factory=dict)
    """By language."""
    carried: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    noted: list[str] = field(default_factory=list)


def carry_metadata(master: MasterMetadata, node: etree._Element) -> CarriedMetadata:
    """Add the master's properties to `node`, all but its captions, which the disclosure adds."""
    found = CarriedMetadata()
    read = xmp_reader.read_xmp(master.xmp, master.extension) if master.xmp else xmp_reader.XmpProperties()
    found.noted.extend(read.noted)
    if read.damaged:
        found.dropped.append("XMP (damaged)")
    said: dict[str, set[str]] = {}
    for key, value in read.properties.items():
        name = prefixed_name(key)
        said[name] = _texts(value)
        if name == "dc:description":
            _caption(found, value)
        elif name in _OURS or not (name.partition(":")[0] in _KEPT or name in _KEPT_SINGLY):
            found.dropped.append(name)
        else:
            _keep(found, node, name, value)
    found.dropped.extend(f"{prefixed_name(key)} ({reason})" for key, reason in read.left_out)
    for name, texts in master.fields.items():
        _fill(found, node, name, texts, said)
    return found


def fields_outside_xmp(master: MasterMetadata) -> MasterMetadata:
    """Return the master's metadata for EXIF, TIFF and PNG, where a field has one language.

    The fields are those of the derivative's XMP, in the default language.
    """
    node = new_description()
    captions = carry_metadata(master, node).captions
    fields: dict[str, tuple[str, ...]] = {}
    if captions:
        fields["dc:description"] = (captions.get("x-default", next(iter(captions.values()))),)
    for value in node:
        name, texts = prefixed_name(str(value.tag)), xmp_reader.property_texts(value)
        if name in _OUTSIDE and texts:
            fields[name] = texts[:1] if array_kind(name) == "Alt" else texts
    return replace(master, fields=fields)


def _texts(value: etree._Element) -> set[str]:
    return {text.strip() for text in value.itertext() if text.strip()}


def _caption(found: CarriedMetadata, value: etree._Element) -> None:
    spoken = list(xmp_reader.texts_by_language(value).items())
    if len(spoken) > _MOST_LANGUAGES:
        found.dropped.append(f"dc:description (more than {_MOST_LANGUAGES} languages)")
    found.captions.update(spoken[:_MOST_LANGUAGES])
    if found.captions:
        found.carried.append("dc:description")
    if len(spoken) <= _MOST_LANGUAGES and _texts(value) - set(found.captions.values()):
        found.dropped.append("dc:description (in part)")


def _keep(found: CarriedMetadata, node: etree._Element, name: str, value: etree._Element) -> None:
    if any(SAEK in key for one in value.iter() for key in (str(one.tag), *map(str, one.attrib))):
        found.dropped.append(f"{name} (reserved for Saek's own statements)")
        return
    simple = all(len(one) == 0 and not set(one.attrib) - {LANG} for one in xmp_reader.array_items(value))
    texts = xmp_reader.property_texts(value)
    if simple and not texts and not value.attrib:
        return
    if name in _DATES:
        converted = [(text, dates.as_xmp(text)) for text in texts]
        found.dropped.extend(f"{name} (no date: {text!r})" for text, date in converted if date is None)
        texts = tuple(date for _, date in converted if date)
        if not texts:
            return
        add_texts(node, name, texts)
    elif array_kind(name) == "Alt" and simple:
        by_language = _default_first(xmp_reader.texts_by_language(value))
        add_alternatives(node, name, by_language)
        if set(texts) - set(by_language.values()):
            found.dropped.append(f"{name} (in part)")
    elif array_kind(name) and simple:
        add_texts(node, name, texts)
    else:
        node.append(value)
    found.carried.append(name)


def _default_first(texts: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(texts.items(), key=lambda one: one[0] != "x-default"))


def _fill(
    found: CarriedMetadata,
    node: etree._Element,
    name: str,
    texts: tuple[str, ...],
    said: Mapping[str, set[str]],
) -> None:
    """Add the properties of another block that the XMP lacks."""
    if name == "dc:description":
        found.captions.setdefault("x-default", texts[0])
        kept = set(found.captions.values())
    elif name in found.carried:
        kept = said[name]
    else:
        kept = add_texts(node, name, texts)
    if name not in found.carried:
        found.carried.append(name)
    if not kept.issuperset(texts):
        found.dropped.append(f"{name} (another value, outside XMP)")
