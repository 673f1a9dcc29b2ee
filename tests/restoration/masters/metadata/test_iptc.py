"""IPTC-IIM and Photoshop resources, built by hand from IIM 4.2 and Adobe's file format specification."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metadata_blocks import iim, resource

from restoration.masters.metadata import iptc
from restoration.masters.metadata.text_encoding import decode_text


@pytest.mark.parametrize(
    ("escape", "codec", "text"),
    [
        (b"\x1b%G", "utf-8", "부산 Café"),
        (b"\x1b%/I", "utf-8", "부산 Café"),
        (b"\x1b$)C", "euc_kr", "부산 국제시장"),
        (b"\x1b$)C", "cp949", "똠방각하"),
        (b"\x1b(B\x1b$)C", "euc_kr", "부산 국제시장"),
        (b"\x1b$)B", "euc_jp", "東京駅"),
        (b"\x1b$)A", "gb2312", "北京"),
        (b"\x1b.A", "latin-1", "Café"),
        (b"\x1b-A", "latin-1", "Café"),
        (b"\x1b(B\x1b-A", "latin-1", "Café"),
        (b"\x1b-B", "iso8859-2", "Łódź"),
        (b"\x1b-L", "iso8859-5", "Москва"),
        (b"\x1b-F", "iso8859-7", "Αθήνα"),
        (b"\x1b-b", "iso8859-15", "20 €"),
    ],
)
def test_the_coded_character_set_is_used(escape: bytes, codec: str, text: str) -> None:
    found = iptc.parse_iim(iim((1, 90, escape), (2, 120, text.encode(codec))))
    read = decode_text(found.prefix + found.records[1].value, found.declared)
    assert (read.text, read.note, found.unknown) == (text, None, "")


@pytest.mark.parametrize(
    ("escape", "codec", "text"),
    [(b"\x1b$B", "iso2022_jp", "東京"), (b"\x1b$(C", "iso2022_jp_2", "부산")],
)
def test_texts_in_the_left_half_of_the_code_table_are_read(escape: bytes, codec: str, text: str) -> None:
    bare = text.encode(codec).removeprefix(escape).removesuffix(b"\x1b(B")
    found = iptc.parse_iim(iim((1, 90, escape), (2, 120, bare)))
    read = decode_text(found.prefix + found.records[1].value, found.declared)
    assert (read.text, read.note) == (text, None)


def test_an_unknown_character_set_is_named() -> None:
    found = iptc.parse_iim(iim((1, 90, b"\x1b&@"), (2, 120, b"x")))
    assert (found.declared, found.unknown) == ((), "ESC &@")


def test_data_sets_longer_than_32_767_bytes_are_read() -> None:
    long = b"\x1c\x02\x78" + struct.pack(">HI", 0x8004, 40_000) + b"x" * 40_000
    found = iptc.parse_iim(long + iim((2, 80, b"Kim")))
    assert [len(one.value) for one in found.records] == [40_000, 3]
    assert not found.damaged


@pytest.mark.parametrize("rest", [b"", b"\0\0\0", b"\0"])
def test_padding_is_not_damage(rest: bytes) -> None:
    assert not iptc.parse_iim(iim((2, 80, b"Kim")) + rest).damaged


@pytest.mark.parametrize("rest", [b"junk", b"\x1c\x02\x78\x00\x09abc"])
def test_data_sets_before_the_damage_are_read(rest: bytes) -> None:
    found = iptc.parse_iim(iim((2, 80, b"Kim")) + rest)
    assert [one.value for one in found.records] == [b"Kim"]
    assert found.damaged


def test_photoshop_resources_are_read() -> None:
    named = b"8BIM" + struct.pack(">H", 0x0BB7) + b"\x06wah\x1c\x02x\0" + struct.pack(">I", 3) + b"abc\0"
    block = resource(0x03E8, b"8BIM\x04\x04\0\0\0\0\0\4fake") + named + resource(0x0404, b"real")
    assert dict(iptc.photoshop_resources(block))[0x0404] == b"real"


def test_a_resource_without_its_padding_is_read() -> None:
    block = resource(0x03E8, b"odd").removesuffix(b"\0") + resource(0x0404, b"real")
    assert dict(iptc.photoshop_resources(block))[0x0404] == b"real"


@pytest.mark.parametrize("width", [2, 4])
def test_swapped_words_are_swapped_back(width: int) -> None:
    block = iim((2, 80, b"Kim"), (2, 120, b"a bridge"))
    block += b"\0" * (-len(block) % 4)
    turned = b"".join(block[at : at + width][::-1] for at in range(0, len(block), width))
    assert iptc.unswap_words(turned) == (block, True)
    assert iptc.unswap_words(block) == (block, False)


@given(st.binary())
def test_any_bytes_are_parsed(block: bytes) -> None:
    iptc.parse_iim(iptc.unswap_words(block)[0])
    try:
        for _, content in iptc.photoshop_resources(block):
            assert content in block
    except ValueError:
        pass
