"""IPTC-IIM 4.2 data sets, and the Photoshop image resources that usually hold them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from restoration.masters.metadata.tags import swap_bytes

IIM_RESOURCE: Final = 0x0404
XMP_RESOURCE: Final = 0x0424
HEADS: Final = (b"Photoshop 3.0\0", b"Adobe_Photoshop2.5:")
"""Beginnings of an APP13 segment of a JPEG."""
SIGNATURES: Final = frozenset({b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa"})
"""Beginnings of a Photoshop resource."""
MARKER: Final = 0x1C
"""First byte of each data set."""
_CHARACTER_SET: Final = (1, 90)
_LONG_SIZE: Final = 0x8000
_SETS_96: Final = {
    "A": "latin-1",
    "B": "iso8859-2",
    "C": "iso8859-3",
    "D": "iso8859-4",
    "F": "iso8859-7",
    "G": "iso8859-6",
    "H": "iso8859-8",
    "L": "iso8859-5",
    "M": "iso8859-9",
    "T": "iso8859-11",
    "V": "iso8859-10",
    "Y": "iso8859-13",
    "_": "iso8859-14",
    "b": "iso8859-15",
    "f": "iso8859-16",
}
_DOUBLE_RIGHT: Final = {"A": ("gb2312", "gbk"), "B": ("euc_jp",), "C": ("euc_kr", "cp949")}
"""Sets of two bytes per character in the right half of the code table, as in the EUC encodings."""
_DOUBLE_LEFT: Final = {"A": "iso2022_jp_2", "B": "iso2022_jp_2", "@": "iso2022_jp_2", "C": "iso2022_jp_2"}


@dataclass(frozen=True, slots=True)
class DataSet:
    """One data set of IPTC-IIM."""

    record: int
    dataset: int
    value: bytes


@dataclass(frozen=True, slots=True)
class IimBlock:
    """The data sets of an IPTC-IIM block, up to any damage."""

    records: tuple[DataSet, ...]
    declared: tuple[str, ...]
    """Python codecs of its coded character set (1:90), in the order to try them; empty if none is known."""
    unknown: str = ""
    """Its coded character set (1:90), if it is unknown."""
    damaged: bool = False
    prefix: bytes = b""
    """Escape sequence to put before each of its texts, for sets of two bytes in the left half."""


def photoshop_resources(block: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of each Photoshop image resource. Raises ValueError at damage."""
    at = 0
    while at + 12 <= len(block):
        if block[at : at + 4] not in SIGNATURES:
            if block[at - 1 : at + 3] in SIGNATURES:  # an odd size without its padding
                at -= 1
            elif block[at:].strip(b"\0"):
                raise ValueError("damaged resources")
            else:
                return
        code, name = struct.unpack_from(">HB", block, at + 4)
        start = at + 6 + (name + 2) // 2 * 2 + 4
        if start > len(block):
            raise ValueError("damaged resources")
        size = struct.unpack_from(">I", block, start - 4)[0]
        if start + size > len(block):
            raise ValueError("damaged resources")
        yield code, block[start : start + size]
        at = start + size + size % 2


def unswap_words(raw: bytes) -> tuple[bytes, bool]:
    """Return IPTC-IIM or resources in the right byte order, and whether their words were swapped.

    Some software declares IPTC as 32-bit words of a TIFF, and swaps them when the byte order changes.
    """
    for width in (4, 2):
        if not _begins(raw) and _begins(swap_bytes(raw[:64], width)):
            return swap_bytes(raw, width), True
    return raw, False


def _begins(block: bytes) -> bool:
    return block[:4] in SIGNATURES or (len(block) > 4 and block[0] == MARKER and 0 < block[1] < 10)


def parse_iim(block: bytes) -> IimBlock:
    """Return the data sets of an IPTC-IIM block; never fails."""
    records: list[DataSet] = []
    at, damaged = 0, False
    while at + 5 <= len(block) and block[at] == MARKER:
        number, dataset, length = struct.unpack_from(">BBH", block, at + 1)
        at += 5
        if length >= _LONG_SIZE:
            width = length - _LONG_SIZE
            length = int.from_bytes(block[at : at + width]) if width <= 4 else len(block)
            at += width
        if at + length > len(block):
            damaged, at = True, len(block)
            break
        records.append(DataSet(number, dataset, block[at : at + length]))
        at += length
    damaged = damaged or bool(block[at:].strip(b"\0 \r\n"))
    character_set = next((one.value for one in records if (one.record, one.dataset) == _CHARACTER_SET), b"")
    declared, prefix = character_sets(character_set)
    unknown = (
        ""
        if declared or not character_set.strip(b"\0 ")
        else character_set.decode("latin-1").replace("\x1b", "ESC ")
    )
    return IimBlock(tuple(records), declared, unknown, damaged, prefix)


def character_sets(character_set: bytes) -> tuple[tuple[str, ...], bytes]:
    """Return the Python codecs of a coded character set (1:90), and the prefix that its texts need.

    The escape sequences are those of ISO 2022: ESC % G is UTF-8, ESC $ ) C is KS X 1001, ESC - A and ESC . A
    are Latin-1.
    """
    declared: list[str] = []
    prefix = b""
    for escape in character_set.split(b"\x1b")[1:]:
        words = escape.strip(b"\0 ").decode("latin-1")
        middle, final = words[:-1], words[-1:]
        if middle in {"%", "%/"} and final in {"G", "H", "I"}:
            declared.append("utf-8")
        elif middle == "%/" and final in {"J", "K", "L"}:
            declared.append("utf-16-be")
        elif middle in {"-", ".", "/"} and final in _SETS_96:
            declared.append(_SETS_96[final])
        elif middle in {"$)", "$*", "$+"} and final in _DOUBLE_RIGHT:
            declared.extend(_DOUBLE_RIGHT[final])
        elif middle in {"$", "$("} and final in _DOUBLE_LEFT:
            declared.append(_DOUBLE_LEFT[final])
            prefix = b"\x1b" + escape.strip(b"\0 ")
    if not declared and character_set.strip(b"\0 ").endswith((b"(B", b"(@")):
        declared.append("ascii")
    return tuple(dict.fromkeys(declared)), prefix
