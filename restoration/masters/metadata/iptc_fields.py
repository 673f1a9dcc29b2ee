"""IPTC-IIM data sets as XMP properties."""

from collections.abc import Iterator
from typing import Final

from restoration.masters.metadata import dates, iptc, uncarried
from restoration.masters.metadata.containers import MetadataBlocks
from restoration.masters.metadata.properties import MetadataProperties
from restoration.masters.metadata.text_encoding import DecodedText, decode_text

_IIM_FIELDS: Final = {
    5: "dc:title",
    25: "dc:subject",
    80: "dc:creator",
    90: "photoshop:City",
    101: "photoshop:Country",
    103: "photoshop:TransmissionReference",
    105: "photoshop:Headline",
    110: "photoshop:Credit",
    115: "photoshop:Source",
    116: "dc:rights",
    120: "dc:description",
}
_IIM_DATE, _IIM_TIME = 55, 60


def iptc_properties(blocks: MetadataBlocks, label: str) -> MetadataProperties:
    """Return the properties of IPTC-IIM, whether it is stored alone or in Photoshop resources.

    Other Photoshop resources are named in `left_out`.
    """
    properties = MetadataProperties()
    streams: list[bytes] = []
    for raw in filter(None, (blocks.iptc, blocks.photoshop)):
        block, unswapped = iptc.unswap_words(raw)
        if unswapped:
            properties.noted.append("IPTC-IIM: its words were swapped; read as they were meant")
        if block[0] == iptc.MARKER:
            streams.append(block)
        elif block[:4] in iptc.SIGNATURES:
            streams.extend(_iim_in_resources(block, blocks, properties, label))
        else:
            properties.damaged = properties.damaged or bool(block.strip(b"\0"))
    if streams:
        _add_iim_properties(iptc.parse_iim(streams[0]), properties)
    if any(other != streams[0] for other in streams[1:]):
        properties.left_out.append("IPTC-IIM: a second block")
    return properties


def _iim_in_resources(
    block: bytes, blocks: MetadataBlocks, properties: MetadataProperties, label: str
) -> Iterator[bytes]:
    others = False
    try:
        for code, content in iptc.photoshop_resources(block):
            if code == iptc.IIM_RESOURCE:
                yield content
            elif code == iptc.XMP_RESOURCE and blocks.xmp is None:
                blocks.xmp = content
            else:
                others = True
    except ValueError:
        properties.damaged = True
    if others and label != "TIFF":  # those of a TIFF are named by their tag
        properties.left_out.append(f"{label}: Photoshop resources")


def _add_iim_properties(found: iptc.IimBlock, properties: MetadataProperties) -> None:
    """Add the data sets of record 2 (application record) of IPTC-IIM 4.2 that have an XMP property."""
    properties.damaged = properties.damaged or found.damaged
    if found.unknown:
        properties.noted.append(f"IPTC-IIM: its declared character set ({found.unknown}) is unknown")

    def text(value: bytes) -> DecodedText:
        return decode_text(found.prefix + value, found.declared)

    date = time = ""
    known = {*_IIM_FIELDS, _IIM_DATE}
    for one in found.records:
        if one.record != 2:
            continue
        if one.dataset in _IIM_FIELDS:
            properties.add(_IIM_FIELDS[one.dataset], text(one.value))
        elif one.dataset == _IIM_DATE:
            date = date or text(one.value).text
        elif one.dataset == _IIM_TIME:
            time = time or text(one.value).text
    if date and (converted := dates.from_iim(date, time)):
        properties.add("photoshop:DateCreated", DecodedText(converted))
        known |= {_IIM_TIME} if "T" in converted else set()
    elif date:
        properties.left_out.append(f"IPTC-IIM: photoshop:DateCreated (no date: {date!r})")
    properties.left_out.extend(uncarried.iim_entries(found.records, frozenset(known)))
