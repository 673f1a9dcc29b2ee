"""Foreign XMP: what is carried into our packet, and that it can never harm the disclosure."""

import datetime as dt
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from restoration.derivatives import xmp_validation
from restoration.derivatives.xmp import MAX_JPEG_BYTES, SOURCE_TYPE, STATEMENTS, Provenance, disclosure_packet
from restoration.masters.facts import Tone, ToneKind
from restoration.masters.metadata.embedded import MasterMetadata
from restoration.masters.metadata.own_derivative import saek_properties
from restoration.results import MetadataReport

MADE = Provenance(
    master_name="판 7.tif",
    master_sha256="a" * 64,
    model="archive-1",
    weights="b" * 64,
    recipe_fingerprint="c" * 64,
    strength=1.0,
    warmth=0.0,
    software="Saek 9",
    tone=Tone(ToneKind.GRAY, 0.0, 0.0, 0.0),
    lossless=True,
    made=dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC),
)

Told = Callable[..., tuple[ElementTree.Element, MetadataReport]]

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
NAMES = {
    "rdf": RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "saek": "urn:saek:xmp:1.0/",
}
DECLARED = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMES.items() if prefix != "rdf")
CREATOR = "<dc:creator><rdf:Seq><rdf:li>{}</rdf:li></rdf:Seq></dc:creator>"


def document(properties: str, *, head: str = "", attributes: str = "") -> str:
    return (
        f'{head}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about="" {DECLARED} {attributes}>{properties}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    )


@pytest.fixture
def told() -> Told:
    """Make a packet from a master's XMP, and read it by another parser."""

    def tell(xmp: str | bytes, **facts: object) -> tuple[ElementTree.Element, MetadataReport]:
        raw = xmp.encode() if isinstance(xmp, str) else xmp
        content, report = disclosure_packet(MADE, MasterMetadata(raw, **facts))
        root = ElementTree.fromstring(content)
        (kind,) = root.iterfind(".//ext:DigitalSourceType", NAMES)
        (master,) = root.iterfind(".//saek:masterSha256", NAMES)
        (statement, *_) = root.iterfind(".//dc:description/rdf:Alt/rdf:li", NAMES)
        assert (kind.text, master.text) == (SOURCE_TYPE, MADE.master_sha256)
        assert (statement.text or "").startswith(STATEMENTS["x-default"])
        assert b"<!" not in content
        return root, report

    return tell


def texts(root: ElementTree.Element, path: str) -> list[str | None]:
    return [one.text for one in root.iterfind(f".//{path}", NAMES)]


def test_an_entity_of_the_packet_is_replaced(told: Told) -> None:
    root, report = told(document(CREATOR.format("Kim &boo; Lee"), head='<!DOCTYPE x [<!ENTITY boo "BOO">]>'))
    assert texts(root, "dc:creator/rdf:Seq/rdf:li") == ["Kim BOO Lee"]
    assert report.dropped == ()


@pytest.mark.parametrize(
    "entity",
    [
        'boo SYSTEM "file:///etc/passwd"',
        'boo "<b>x</b>"',
        '% p SYSTEM "file:///etc/passwd"> %p; <!ENTITY boo "',
        'boo "' + "&#38;c;" * 20 + '"> <!ENTITY c "' + "&#38;d;" * 20 + '"> <!ENTITY d "' + "d" * 9000,
    ],
)
def test_an_unresolved_entity_is_left_out_and_named(told: Told, entity: str) -> None:
    head = f"<!DOCTYPE x [<!ENTITY {entity}{'' if entity.endswith(chr(34)) else chr(34)}>]>"
    root, report = told(document(CREATOR.format("Kim &boo; Lee"), head=head))
    assert texts(root, "dc:creator/rdf:Seq/rdf:li") in ([], ["Kim  Lee"])
    assert report.dropped or report.noted
    assert not any("root:" in (one.text or "") for one in root.iter())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("Kim & Lee", "Kim & Lee"), ("Kim &copy; Lee", "Kim © Lee"), ("Kim\x0b&#1; Lee", "Kim Lee")],
)
def test_packets_that_are_not_well_formed_are_repaired(told: Told, wrong: str, right: str) -> None:
    root, report = told(document(CREATOR.format(wrong)))
    assert texts(root, "dc:creator/rdf:Seq/rdf:li") == [right]
    assert report.noted == ("XMP: repaired, it was not well-formed XML",)


def test_two_titles_are_merged(told: Told) -> None:
    title = "<dc:title><rdf:Alt>{}</rdf:Alt></dc:title>"
    first = title.format('<rdf:li xml:lang="x-default">A</rdf:li>')
    second = title.format('<rdf:li xml:lang="x-default">B</rdf:li><rdf:li xml:lang="ko">다</rdf:li>')
    root, report = told(document(first + second))
    assert texts(root, "dc:title/rdf:Alt/rdf:li") == ["A", "다"]
    assert report.dropped == ("dc:title (a second value)",)


def test_a_repeated_property_is_kept_once(told: Told) -> None:
    root, report = told(
        document("<photoshop:City>Busan</photoshop:City>", attributes='photoshop:City="Seoul"')
    )
    assert texts(root, "photoshop:City") == ["Seoul"]
    assert report.dropped == ("photoshop:City (a second value)",)


def test_comments_instructions_and_cdata_leave_only_their_text(told: Told) -> None:
    value = "a<!-- x -->b<?php y?>c<![CDATA[<saek:masterSha256>]]>"
    root, _ = told(document(f"<dc:identifier>{value}</dc:identifier>"))
    assert texts(root, "dc:identifier") == ["abc<saek:masterSha256>"]


def test_properties_of_an_earlier_derivative_are_dropped(told: Told) -> None:
    nested = '<ext:X rdf:parseType="Resource"><saek:masterSha256>f</saek:masterSha256></ext:X>'
    own = "<saek:masterSha256>f</saek:masterSha256><saek:extra>1</saek:extra>"
    kind = "<ext:DigitalSourceType>urn:x</ext:DigitalSourceType>"
    root, report = told(document(own + nested + kind, attributes='saek:job="8"'))
    assert texts(root, "saek:extra") == texts(root, "saek:job") == []
    assert set(report.dropped) == {
        "saek:job",
        "saek:masterSha256",
        "saek:extra",
        "ext:X (reserved for Saek's own statements)".replace("ext:", "Iptc4xmpExt:"),
        "Iptc4xmpExt:DigitalSourceType",
    }


def test_structures_are_carried_whole(told: Told) -> None:
    place = '<rdf:li rdf:parseType="Resource"><ext:City>서울</ext:City></rdf:li><rdf:li ext:City="부산"/>'
    root, report = told(document(f"<ext:LocationShown><rdf:Bag>{place}</rdf:Bag></ext:LocationShown>"))
    assert texts(root, "ext:LocationShown/rdf:Bag/rdf:li/ext:City") == ["서울"]
    assert [one.get(f"{{{NAMES['ext']}}}City") for one in root.iter(f"{{{RDF}}}li")].count("부산") == 1
    assert report.dropped == ()


@pytest.mark.parametrize(
    "value",
    [
        '<dc:identifier rdf:parseType="Literal"><b xmlns="urn:b">x</b></dc:identifier>',
        "<dc:identifier><dc:Typed><dc:x>1</dc:x></dc:Typed></dc:identifier>",
        "<dc:identifier>words <rdf:Bag><rdf:li>x</rdf:li></rdf:Bag></dc:identifier>",
        "<dc:identifier><rdf:Bag><rdf:li>x</rdf:li></rdf:Bag><rdf:Bag/></dc:identifier>",
        "<dc:identifier><rdf:li>x</rdf:li></dc:identifier>",
        '<dc:identifier rdf:parseType="Resource"><dc:a>1</dc:a><dc:a>2</dc:a></dc:identifier>',
        "<dc:identifier>" + "<rdf:Bag><rdf:li>" * 40 + "x" + "</rdf:li></rdf:Bag>" * 40 + "</dc:identifier>",
        "<dc:ident\u01f6fier>x</dc:ident\u01f6fier>",
    ],
)
def test_only_properties_that_strict_readers_refuse_are_dropped(told: Told, value: str) -> None:
    root, report = told(document(value + CREATOR.format("Kim")))
    assert texts(root, "dc:identifier") == []
    assert texts(root, "dc:creator/rdf:Seq/rdf:li") == ["Kim"]
    (dropped,) = report.dropped
    assert dropped.startswith("dc:ident")


def test_invalid_dates_are_left_out_and_named(told: Told) -> None:
    dates = 'photoshop:DateCreated="1952:03:14 10:00:00" xmp:CreateDate="yesterday"'
    root, report = told(document("", attributes=dates))
    assert texts(root, "photoshop:DateCreated") == ["1952-03-14T10:00:00"]
    assert texts(root, "xmp:CreateDate") == []
    assert report.dropped == ("xmp:CreateDate (no date: 'yesterday')",)


@pytest.mark.parametrize("encoding", ["euc-kr", "iso-8859-1", "utf-16"])
def test_a_declared_encoding_of_a_packet_is_used(told: Told, encoding: str) -> None:
    text = "Café" if encoding == "iso-8859-1" else "한강"
    declared = document(CREATOR.format(text), head=f'<?xml version="1.0" encoding="{encoding}"?>')
    root, report = told(declared.encode(encoding))
    assert texts(root, "dc:creator/rdf:Seq/rdf:li") == [text]
    assert report.noted == ()


def test_a_packet_without_an_encoding_is_guessed_and_noted(told: Told) -> None:
    root, report = told(document(CREATOR.format("홍길동")).encode("cp949"))
    assert texts(root, "dc:creator/rdf:Seq/rdf:li") == ["홍길동"]
    assert report.noted == ("XMP: decoded as CP949, a guess: its character set is not declared",)


@pytest.mark.parametrize(
    "value",
    [
        "x" * 9_000_000,
        "".join(f"<dc:p{number}>x</dc:p{number}>" for number in range(5_000)),
        "".join(f'<n:p xmlns:n="urn:{number}">x</n:p>' for number in range(5_000)),
        "<dc:subject><rdf:Bag>" + "<rdf:li>x</rdf:li>" * 100_000 + "</rdf:Bag></dc:subject>",
        "".join(CREATOR.format(number) for number in range(10_000)),
    ],
)
def test_an_endless_packet_gives_bounded_output(value: str) -> None:
    xmp = document(f"<dc:identifier>{value}</dc:identifier>" if value[0] == "x" else value).encode()
    content, report = disclosure_packet(MADE, MasterMetadata(xmp), MAX_JPEG_BYTES)
    assert len(content) <= MAX_JPEG_BYTES
    for found in (content, disclosure_packet(MADE, MasterMetadata(xmp))[0]):
        assert saek_properties(found)["masterSha256"] == MADE.master_sha256
    assert ElementTree.fromstring(content).tag == "{adobe:ns:meta/}xmpmeta"
    assert len(report.dropped) <= 201


XML_PIECES = st.one_of(
    st.sampled_from(["<dc:title>", "</dc:title>", "<rdf:Alt>", "</rdf:Alt>", "<rdf:li>", "</rdf:li>"]),
    st.sampled_from(
        ["&amp;", "&", "<!-- ", "-->", "<![CDATA[", "]]>", "<?x ", "?>", "한강", "\x01", "<", '"']
    ),
    st.sampled_from(["<saek:job>", "</saek:job>", "<dc:description>", "</dc:description>", "<dc:x/>"]),
    st.sampled_from(
        ["<ext:A rdf:parseType='Resource'>", "</ext:A>", "<rdf:Description>", "</rdf:Description>"]
    ),
)


@given(st.lists(XML_PIECES, max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_xmp_leaves_the_disclosure_readable(pieces: list[str]) -> None:
    content, _ = disclosure_packet(MADE, MasterMetadata(document("".join(pieces)).encode("utf-8", "replace")))
    root = ElementTree.fromstring(content)
    assert texts(root, "saek:masterSha256") == [MADE.master_sha256]
    assert texts(root, "ext:DigitalSourceType") == [SOURCE_TYPE]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b"</x:xmpmeta>", b"", "well-formed"),
        (b"<x:xmpmeta", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x:xmpmeta", "document type"),
        (b"<saek:masterSha256>", b"<saek:masterSha256>0", "exactly once"),
        (b"<saek:strength>1</saek:strength>", b"", "exactly once"),
        (b"<saek:strength>", b"<saek:other>1</saek:other><saek:strength>", "unknown property"),
        (b"<dc:source>", b"<dc:source>x</dc:source><dc:source>", "twice"),
        (b'rdf:about=""', b'rdf:about="x"', "one description"),
        (b'<rdf:li xml:lang="x-default">Colors', b'<rdf:li xml:lang="x-default">Colours', "statement"),
        (b'<rdf:li xml:lang="x-default">', b'<rdf:li xml:lang="fr">', "default language"),
        (b'<rdf:li xml:lang="ko">', b'<rdf:li xml:lang="en">', "two descriptions"),
        (b"<rdf:Seq>", b"<rdf:Seq><rdf:Bag/>", "form"),
        (b'rdf:parseType="Resource"', b'rdf:parseType="Literal"', "form"),
    ],
)
def test_an_invalid_packet_of_ours_is_detected(old: bytes, new: bytes, fault: str) -> None:
    content, _ = disclosure_packet(MADE, MasterMetadata())
    must_say = {
        f"{{{NAMES['saek']}}}{name}": text
        for name, text in {
            "masterSha256": MADE.master_sha256,
            "weightsSha256": MADE.weights,
            "recipeFingerprint": MADE.recipe_fingerprint,
            "removedTone": "gray cb=+0.0000 cr=+0.0000",
            "strength": "1",
            "warmth": "0",
            "lumaMaxError": "0",
            "lumaMeanError": "0",
        }.items()
    }
    arguments = (must_say, STATEMENTS["x-default"], NAMES["saek"])
    assert xmp_validation.packet_fault(content, *arguments) is None
    assert content.count(old) >= 1
    assert fault in (xmp_validation.packet_fault(content.replace(old, new, 1), *arguments) or "")
