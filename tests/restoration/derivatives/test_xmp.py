import datetime as dt
from dataclasses import replace

import pytest
from lxml import etree

from restoration import Tone, ToneKind
from restoration.derivatives import xmp
from restoration.derivatives.xmp import Provenance, disclosure_packet
from restoration.masters.metadata import own_derivative
from restoration.masters.metadata.embedded import MasterMetadata

NAMES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "ext": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "mm": "http://ns.adobe.com/xap/1.0/mm/",
    "ref": "http://ns.adobe.com/xap/1.0/sType/ResourceRef#",
    "evt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "saek": xmp.SAEK,
}
MADE = Provenance(
    master_name="판 7.tif",
    master_sha256="a" * 64,
    model="archive-1",
    weights="b" * 64,
    recipe_fingerprint="c" * 64,
    strength=1.0,
    warmth=0.0,
    software="Saek 9",
    tone=Tone(ToneKind.TONED, -0.02, 0.01, 0.004),
    lossless=True,
    made=dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC),
    tags={"job": "17"},
)
MASTER_XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" photoshop:Credit="National Archives"
 photoshop:ICCProfile="Dot Gain 20%" tiff:Orientation="6">
<dc:creator><rdf:Seq><rdf:li>Kim</rdf:li><rdf:li>Lee</rdf:li></rdf:Seq></dc:creator>
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">A bridge</rdf:li>
<rdf:li xml:lang="ko">다리</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()


def tree(content: bytes) -> etree._Element:
    return etree.fromstring(content)


def texts(content: bytes, path: str) -> list[str]:
    return [node.text or "" for node in tree(content).iterfind(f".//{path}", NAMES)]


def test_the_packet_says_that_the_colors_are_inferred() -> None:
    content, _ = disclosure_packet(MADE, MasterMetadata())
    assert texts(content, "ext:DigitalSourceType") == [
        "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    ]
    assert "archive-1" in texts(content, "ext:AISystemUsed")[0]
    assert "b" * 64 in texts(content, "ext:AISystemVersionUsed")[0]
    default, korean, english = texts(content, "dc:description/rdf:Alt/rdf:li")
    assert "no evidence of the original colors" in default
    assert "인공지능" in korean
    assert english == default


def test_the_default_language_comes_first() -> None:
    content, _ = disclosure_packet(MADE, MasterMetadata(MASTER_XMP))
    items = tree(content).iterfind(".//dc:description/rdf:Alt/rdf:li", NAMES)
    languages = [li.get("{http://www.w3.org/XML/1998/namespace}lang") for li in items]
    assert languages == ["x-default", "ko", "en"]


@pytest.mark.parametrize(
    ("strength", "warmth", "told"),
    [
        (1.0, 0.0, "archive-1; luminance"),
        (0.5, 0.0, "archive-1, changed by strength 0.5; luminance"),
        (1.0, -0.25, "archive-1, changed by warmth -0.25; luminance"),
        (1.5, 0.5, "archive-1, changed by strength 1.5 and warmth +0.5; luminance"),
    ],
)
def test_the_packet_tells_how_a_person_changed_the_colors(strength: float, warmth: float, told: str) -> None:
    content, _ = disclosure_packet(replace(MADE, strength=strength, warmth=warmth), MasterMetadata())
    assert told in texts(content, "evt:parameters")[0]
    facts = own_derivative.saek_properties(content)
    assert (float(facts["strength"]), float(facts["warmth"])) == (strength, warmth)


def test_the_packet_names_the_master_and_the_making() -> None:
    content, _ = disclosure_packet(MADE, MasterMetadata())
    original = f"urn:sha256:{'a' * 64}"
    assert texts(content, "mm:DerivedFrom/ref:documentID") == [original]
    assert texts(content, "mm:OriginalDocumentID") == [original]
    assert texts(content, "mm:DocumentID")[0].startswith("urn:sha256:")
    assert texts(content, "mm:DocumentID")[0] != original
    assert "판 7.tif" in texts(content, "dc:source")[0]
    assert texts(content, "xmp:CreatorTool") == ["Saek 9"]
    facts = own_derivative.saek_properties(content)
    assert facts["masterSha256"] == "a" * 64
    assert facts["weightsSha256"] == "b" * 64
    assert facts["recipeFingerprint"] == "c" * 64
    assert facts["job"] == "17"
    assert facts["lumaMaxError"] == "0"
    assert facts["removedTone"].startswith("toned")


def test_descriptive_xmp_is_kept_and_technical_xmp_is_not() -> None:
    content, report = disclosure_packet(MADE, MasterMetadata(MASTER_XMP))
    assert texts(content, "dc:creator/rdf:Seq/rdf:li") == ["Kim", "Lee"]
    assert texts(content, "photoshop:Credit") == ["National Archives"]
    default, korean, _ = texts(content, "dc:description/rdf:Alt/rdf:li")
    assert default.endswith("| A bridge")
    assert korean.endswith("| 다리")
    assert {"dc:creator", "dc:description", "photoshop:Credit"} <= set(report.carried)
    assert {"photoshop:ICCProfile", "{http://ns.adobe.com/tiff/1.0/}Orientation"} == set(report.dropped)


def test_fields_of_other_blocks_fill_what_the_xmp_leaves_open() -> None:
    fields = {"dc:creator": ("Park",), "dc:rights": ("CC0",), "dc:subject": ("bridge", "river")}
    content, report = disclosure_packet(MADE, MasterMetadata(MASTER_XMP, fields))
    assert texts(content, "dc:creator/rdf:Seq/rdf:li") == ["Kim", "Lee"]
    assert texts(content, "dc:rights/rdf:Alt/rdf:li") == ["CC0"]
    assert texts(content, "dc:subject/rdf:Bag/rdf:li") == ["bridge", "river"]
    assert sorted(set(report.carried)) == sorted(report.carried)


@pytest.mark.parametrize(
    "hostile",
    [
        b"<not xml",
        b"",
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>',
        b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>',
    ],
)
def test_foreign_xml_can_do_no_harm(hostile: bytes) -> None:
    content, _ = disclosure_packet(MADE, MasterMetadata(hostile))
    assert b"root:" not in content
    assert b"bbbbbbbbbbb" not in content.replace(b"b" * 64, b"")


def test_damaged_xmp_is_reported() -> None:
    _, report = disclosure_packet(MADE, MasterMetadata(b"<x:xmpmeta"))
    assert report.dropped == ("XMP (damaged)",)


def test_the_luma_error_of_a_jpeg_is_settled_in_place() -> None:
    content, _ = disclosure_packet(replace(MADE, lossless=False), MasterMetadata())
    settled = xmp.with_luma_error(content, 13, 1.25)
    assert len(settled) == len(content)
    facts = own_derivative.saek_properties(settled)
    assert (int(facts["lumaMaxError"]), float(facts["lumaMeanError"])) == (13, 1.25)


def test_a_packet_without_marks_cannot_be_settled() -> None:
    content, _ = disclosure_packet(MADE, MasterMetadata())
    with pytest.raises(ValueError, match="no marks"):
        xmp.with_luma_error(content, 0, 0)


def test_a_map_says_that_it_is_a_map_and_is_not_the_derivative() -> None:
    told = xmp.confidence_packet(MADE)
    assert texts(told, "ext:DigitalSourceType")[0].endswith("/dataDrivenMedia")
    assert "no photograph" in texts(told, "dc:description/rdf:Alt/rdf:li")[0]
    assert texts(told, "mm:DerivedFrom/ref:documentID") == [f"urn:sha256:{'a' * 64}"]
    assert texts(told, "mm:DocumentID") != texts(
        disclosure_packet(MADE, MasterMetadata())[0], "mm:DocumentID"
    )
    facts = own_derivative.saek_properties(told)
    assert (facts["masterSha256"], facts["recipeFingerprint"]) == ("a" * 64, "c" * 64)
    assert "lumaMaxError" not in facts
