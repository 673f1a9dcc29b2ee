"""What IPTC-IIM says, as XMP would name it, by itself or among Photoshop's resources."""

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
    """Return what IPTC-IIM says, by itself or among Photoshop's resources, which are told of, too."""
    properties = MetadataProperties()
    streams: list[bytes] = []
    for raw in filter(None, (blocks.iptc, blocks.photoshop)):
        block, turned = iptc.unswap_words(raw)
        if turned:
            properties.noted.append("IPTC-IIM: its words were swapped; read as they were meant")
        if block[0] == iptc.MARKER:
            streams.append(block)
        elif block[:4] in iptc.SIGNATURES:
            streams.extend(_in_resources(block, blocks, properties, label))
        else:
            properties.damaged = properties.damaged or bool(block.strip(b"\0"))
    if streams:
        _take_iim(iptc.parse_iim(streams[0]), properties)
    if any(other != streams[0] for other in streams[1:]):
        properties.left_out.append("IPTC-IIM: a second block")
    return properties


def _in_resources(
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
    if others and label != "TIFF":  # a TIFF's are named by their tag
        properties.left_out.append(f"{label}: Photoshop resources")


def _take_iim(found: iptc.IimBlock, properties: MetadataProperties) -> None:
    """Take in the application records of IPTC-IIM 4.2 that have a place in XMP."""
    properties.damaged = properties.damaged or found.damaged
    if found.unknown:
        properties.noted.append(f"IPTC-IIM: its declared character set ({found.unknown}) is not known")

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
    if date and (told := dates.from_iim(date, time)):
        properties.add("photoshop:DateCreated", DecodedText(told))
        known |= {_IIM_TIME} if "T" in told else set()
    elif date:
        properties.left_out.append(f"IPTC-IIM: photoshop:DateCreated (no date: {date!r})")
    properties.left_out.extend(uncarried.iim_entries(found.records, frozenset(known)))
