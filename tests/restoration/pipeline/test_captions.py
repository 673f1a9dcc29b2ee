"""That what a master says arrives in its derivative, in all three formats: read back by hand and by expat."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metadata_blocks import chunks_of, exif, iim, jpeg, png, resource, segments_of, tags_of
from PIL import Image

from restoration import Compute, Input, LoadedModel, Output, Recipe, Restoration, restore

Gray = np.ndarray
Recipes = Callable[..., Recipe]
Restored = Callable[[Path, str], Restoration]

FORMATS = ("tiff", "png", "jpeg")
STATEMENT = "Colors inferred by AI from a monochrome scan; they are no evidence of the original colors."
NAMES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "saek": "urn:saek:xmp:1.0/",
}
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">{}</rdf:Description>'
    "</rdf:RDF></x:xmpmeta>"
)
TITLE = '<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:title>'


@pytest.fixture
def small(gray8: Gray) -> Gray:
    return np.ascontiguousarray(gray8[:48, :64])


@pytest.fixture
def restored(recipe: Recipes, loaded: LoadedModel, tmp_path: Path) -> Restored:
    def make(master: Path, fmt: str) -> Restoration:
        out = tmp_path / f"{master.name}.{fmt}"
        out.unlink(missing_ok=True)
        return restore(Input(master), recipe(fmt), Output(out), Compute(model=loaded))

    return make


def tiff(path: Path, gray: Gray, *tags: tuple[int, int, int, object, bool], order: str = "<") -> Path:
    tifffile.imwrite(path, gray, metadata=None, software=False, byteorder=order, extratags=list(tags))
    return path


def packet_of(path: Path) -> bytes:
    """Return the XMP packet of a derivative, taken from the file by hand."""
    content = path.read_bytes()
    if content.startswith(b"\x89PNG"):
        head = b"XML:com.adobe.xmp\0\0\0\0\0"
        (found,) = [data for kind, data in chunks_of(path) if kind == b"iTXt" and data.startswith(head)]
        return found.removeprefix(head)
    if content.startswith(b"\xff\xd8"):
        head = b"http://ns.adobe.com/xap/1.0/\0"
        (found,) = [data for kind, data in segments_of(path) if kind == 0xE1 and data.startswith(head)]
        return found.removeprefix(head)
    with tifffile.TiffFile(path) as file:
        tag = file.pages.first.tags[700]
        return content[tag.valueoffset : tag.valueoffset + tag.count]


def texts(path: Path, name: str) -> list[str]:
    """Return the texts of a property, or of its items, from the XMP of a derivative."""
    root = ElementTree.fromstring(packet_of(path))
    (found,) = root.iterfind(f".//{name}", NAMES)
    items = found.findall(".//rdf:li", NAMES)
    return [one.text or "" for one in items or [found]]


def ascii_tags(path: Path) -> dict[int, bytes]:
    """Return the ASCII tags of a derivative's EXIF, or of a TIFF itself."""
    content = path.read_bytes()
    if content.startswith(b"\x89PNG"):
        return tags_of(dict(chunks_of(path))[b"eXIf"])
    if content.startswith(b"\xff\xd8"):
        return tags_of(next(data[6:] for _, data in segments_of(path) if data.startswith(b"Exif\0\0")))
    return tags_of(content)


@pytest.mark.parametrize("fmt", FORMATS)
def test_korean_tags_of_a_tiff_arrive_as_utf_8(
    small: Gray, tmp_path: Path, restored: Restored, fmt: str
) -> None:
    said = {270: "부산 국제시장 전경", 315: "홍길동", 33432: "© 시립기록관"}
    tags = [(code, 2, 0, text.encode() + b"\0", True) for code, text in said.items()]
    made = restored(tiff(tmp_path / "a.tif", small, *tags), fmt)
    assert texts(made.path, "dc:description")[0] == f"{STATEMENT} | 부산 국제시장 전경"
    assert texts(made.path, "dc:creator") == ["홍길동"]
    assert texts(made.path, "dc:rights") == ["© 시립기록관"]
    found = ascii_tags(made.path)
    assert found[270] == f"{STATEMENT} | 부산 국제시장 전경\0".encode()
    assert found[315] == "홍길동\0".encode()
    assert found[33432] == "© 시립기록관\0".encode()
    assert made.metadata.noted == ()


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("order", ["<", ">"])
def test_korean_exif_of_a_jpeg_arrives_as_utf_8(
    small: Gray, tmp_path: Path, restored: Restored, fmt: str, order: str
) -> None:
    block = exif(order, [(270, 2, "부산 국제시장".encode() + b"\0"), (315, 2, "홍길동".encode() + b"\0")])
    made = restored(jpeg(tmp_path / "a.jpg", small, (0xE1, b"Exif\0\0" + block)), fmt)
    assert texts(made.path, "dc:creator") == ["홍길동"]
    assert ascii_tags(made.path)[270].decode() == f"{STATEMENT} | 부산 국제시장\0"
    assert ascii_tags(made.path)[315].decode() == "홍길동\0"


@pytest.mark.parametrize("order", ["<", ">"])
def test_undeclared_cp949_is_read_and_told(
    small: Gray, tmp_path: Path, restored: Restored, order: str
) -> None:
    tag = (270, 2, 0, "부산 국제시장 전경".encode("cp949") + b"\0", True)
    made = restored(tiff(tmp_path / "a.tif", small, tag, order=order), "jpeg")
    assert texts(made.path, "dc:description")[0].endswith("| 부산 국제시장 전경")
    assert made.metadata.noted == (
        "dc:description: decoded as CP949, a guess: its character set is not declared",
    )


@given(
    caption=st.text(
        st.characters(exclude_categories=("Cs",), exclude_characters="\0￾￿"), min_size=1, max_size=300
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_caption_survives_in_all_formats(
    small: Gray, tmp_path: Path, restored: Restored, caption: str
) -> None:
    legal = "".join(c for c in caption if c in "\t\n\r" or c >= " ").strip(" \t\r\n")
    if legal.startswith("\ufeff") or not legal:
        return
    master = tiff(tmp_path / "a.tif", small, (270, 2, 0, legal.encode() + b"\0", True))
    for fmt in FORMATS:
        made = restored(master, fmt)
        assert texts(made.path, "dc:description")[0] == f"{STATEMENT} | {legal}"
        assert ascii_tags(made.path)[270] == f"{STATEMENT} | {legal}\0".encode()


@given(raw=st.tuples(*[st.binary(max_size=60)] * 5))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_in_any_tag_make_the_disclosure_unreadable(
    small: Gray, tmp_path: Path, restored: Restored, raw: tuple[bytes, ...]
) -> None:
    caption, creator, block, packet, resources = raw
    tags = [(270, 2, 0, caption + b"\0", True), (315, 2, 0, creator + b"\0", True)]
    tags += [(33723, 7, 0, block or b"\0", True), (34377, 7, 0, resources or b"\0", True)]
    tags += [(700, 1, len(packet) + 1, packet + b"\0", True)]
    made = restored(tiff(tmp_path / "a.tif", small, *tags), "jpeg")
    assert texts(made.path, "dc:description")[0].startswith(STATEMENT)
    assert texts(made.path, "saek:masterSha256") == [made.master_sha256]


@pytest.mark.parametrize("fmt", FORMATS)
def test_iptc_in_a_declared_character_set_is_read(
    small: Gray, tmp_path: Path, restored: Restored, fmt: str
) -> None:
    block = iim(
        (1, 90, b"\x1b$)C"), (2, 120, "부산 국제시장".encode("euc_kr")), (2, 80, "홍길동".encode("euc_kr"))
    )
    made = restored(tiff(tmp_path / "a.tif", small, (33723, 7, len(block), block, True)), fmt)
    assert texts(made.path, "dc:description")[0].endswith("| 부산 국제시장")
    assert texts(made.path, "dc:creator") == ["홍길동"]
    assert made.metadata.noted == ()


def test_iptc_is_found_behind_a_decoy(small: Gray, tmp_path: Path, restored: Restored) -> None:
    block = iim((2, 120, b"The real caption"), (2, 80, b"A. Photographer"))
    decoy = resource(0x03E8, b"\0\1\x1c\x02\x78\0\4fake") + resource(0x0404, block)
    made = restored(jpeg(tmp_path / "a.jpg", small, (0xED, b"Photoshop 3.0\0" + decoy)), "tiff")
    assert texts(made.path, "dc:description")[0].endswith("| The real caption")
    assert texts(made.path, "dc:creator") == ["A. Photographer"]


def test_resources_that_go_over_two_segments_are_read(
    small: Gray, tmp_path: Path, restored: Restored
) -> None:
    block = iim((2, 120, b"before"), *((2, 25, b"x" * 60) for _ in range(900)), (2, 80, b"Kim"))
    whole = resource(0x03E8, b"odd") + resource(0x0404, block)
    parts = [b"Photoshop 3.0\0" + whole[at : at + 40_000] for at in range(0, len(whole), 40_000)]
    made = restored(jpeg(tmp_path / "a.jpg", small, *((0xED, part) for part in parts)), "tiff")
    assert texts(made.path, "dc:creator") == ["Kim"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_iptc_in_swapped_words_is_read_and_told(
    small: Gray, tmp_path: Path, restored: Restored, order: str, wrapped: bool
) -> None:
    block = iim((2, 120, b"Harbour, 1952"), (2, 80, b"A. Photographer"), (2, 55, b"19520314"))
    block = resource(0x0404, block) if wrapped else block
    block += b"\0" * (-len(block) % 4)
    other = {"<": ">", ">": "<"}[order]
    words = struct.unpack(f"{other}{len(block) // 4}I", block)
    made = restored(tiff(tmp_path / "a.tif", small, (33723, 4, len(words), words, True), order=order), "png")
    assert texts(made.path, "dc:description")[0].endswith("| Harbour, 1952")
    assert texts(made.path, "photoshop:DateCreated") == ["1952-03-14"]
    assert made.metadata.noted == ("IPTC-IIM: its words were swapped; read as they were meant",)


@pytest.mark.parametrize("fmt", FORMATS)
def test_dates_have_the_form_of_their_block(
    small: Gray, tmp_path: Path, restored: Restored, fmt: str
) -> None:
    taken = [(36867, 2, b"1952:03:14 10:00:00\0"), (36881, 2, b"+09:00\0")]
    block = exif(">", [(270, 2, b"plain\0")], taken)
    made = restored(jpeg(tmp_path / "a.jpg", small, (0xE1, b"Exif\0\0" + block)), fmt)
    assert texts(made.path, "exif:DateTimeOriginal") == ["1952-03-14T10:00:00+09:00"]
    if fmt != "tiff":
        assert ascii_tags(made.path)[36867] == b"1952:03:14 10:00:00\0"
        assert ascii_tags(made.path)[36881] == b"+09:00\0"


def test_what_is_no_date_is_told(small: Gray, tmp_path: Path, restored: Restored) -> None:
    block = exif("<", [(270, 2, b"plain\0")], [(36867, 2, b"0000:00:00 00:00:00\0")])
    made = restored(jpeg(tmp_path / "a.jpg", small, (0xE1, b"Exif\0\0" + block)), "png")
    assert made.metadata.dropped == ("EXIF: exif:DateTimeOriginal (no date: '0000:00:00 00:00:00')",)


@pytest.mark.parametrize(
    "chunk",
    [
        (b"tEXt", b"Title\0" + "Café München".encode("latin-1")),
        (b"tEXt", b"Title\0" + "Café München".encode()),
        (b"iTXt", b"Title\0\0\0\0\0" + "Café München".encode()),
    ],
)
def test_texts_of_a_png_are_read(
    small: Gray, tmp_path: Path, restored: Restored, chunk: tuple[bytes, bytes]
) -> None:
    made = restored(png(tmp_path / "a.png", small, chunk), "png")
    assert texts(made.path, "dc:title") == ["Café München"]
    assert (b"iTXt", b"Title\0\0\0\0\0" + "Café München".encode()) in chunks_of(made.path)


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_xmp_in_any_unicode_encoding_is_read(
    small: Gray, tmp_path: Path, restored: Restored, codec: str
) -> None:
    packet = XMP.format(TITLE.format("부산 국제시장")).encode(codec)
    made = restored(tiff(tmp_path / "a.tif", small, (700, 1, len(packet), packet, True)), "tiff")
    assert texts(made.path, "dc:title") == ["부산 국제시장"]


def test_number_signs_in_a_title_are_no_place_for_the_luma_error(
    small: Gray, tmp_path: Path, restored: Restored
) -> None:
    mark = "<saek:lumaMaxError>#####</saek:lumaMaxError> ##### #########"
    packet = XMP.format(TITLE.format("Roll ##### frame 12")).encode()
    tags = [(700, 1, len(packet), packet, True), (270, 2, 0, mark.encode() + b"\0", True)]
    made = restored(tiff(tmp_path / "a.tif", small, *tags), "jpeg")
    assert texts(made.path, "dc:title") == ["Roll ##### frame 12"]
    assert texts(made.path, "dc:description")[0] == f"{STATEMENT} | {mark}"
    assert ascii_tags(made.path)[270].decode() == f"{STATEMENT} | {mark}\0"
    (largest,), (mean,) = texts(made.path, "saek:lumaMaxError"), texts(made.path, "saek:lumaMeanError")
    assert int(largest) == made.luma_max_error
    assert float(mean) == pytest.approx(made.luma_mean_error, abs=1e-4)


def test_the_second_part_of_the_xmp_of_a_jpeg_is_read(
    small: Gray, tmp_path: Path, restored: Restored
) -> None:
    extended = XMP.format("<dc:identifier>한강-17</dc:identifier>").encode()
    guid = b"0123456789ABCDEF0123456789ABCDEF"
    note = f'<n:HasExtendedXMP xmlns:n="http://ns.adobe.com/xmp/note/">{guid.decode()}</n:HasExtendedXMP>'
    first = b"http://ns.adobe.com/xap/1.0/\0" + XMP.format(TITLE.format("T") + note).encode()
    head, half = b"http://ns.adobe.com/xmp/extension/\0" + guid, 100
    parts = [
        head + struct.pack(">II", len(extended), at) + extended[at : at + half]
        for at in range(0, len(extended), half)
    ]
    segments = [(0xE1, part) for part in (first, *parts)]
    whole = restored(jpeg(tmp_path / "a.jpg", small, *segments), "tiff")
    assert texts(whole.path, "dc:title") == ["T"]
    assert texts(whole.path, "dc:identifier") == ["한강-17"]
    assert whole.metadata.dropped == ()
    part = restored(jpeg(tmp_path / "b.jpg", small, *segments[:-1]), "tiff")
    assert texts(part.path, "dc:title") == ["T"]
    assert part.metadata.dropped == ("XMP extension (incomplete)",)


@pytest.mark.parametrize("length", [30_000, 300_000])
def test_a_caption_too_long_for_a_jpeg_costs_no_disclosure(
    small: Gray, tmp_path: Path, restored: Restored, length: int
) -> None:
    caption = ("한강 " * length)[:length].encode()
    master = tiff(tmp_path / "a.tif", small, (270, 2, 0, caption + b"\0", True))
    made = restored(master, "jpeg")
    assert texts(made.path, "dc:description")[0] == STATEMENT
    assert made.metadata.dropped == ("dc:description (too long)",)
    kept = ascii_tags(made.path)[270]
    assert kept.startswith(f"{STATEMENT} | 한강 한강".encode())
    kept.decode()
    assert texts(restored(master, "png").path, "dc:description")[0].endswith("한강 한강")


def in_webp(path: Path, gray: Gray) -> Path:
    packet = XMP.format(TITLE.format("제목")).encode()
    Image.fromarray(gray).save(path, "webp", exif=b"Exif\0\0" + EXIF, xmp=packet, lossless=True)
    return path


def in_png(path: Path, gray: Gray) -> Path:
    packet = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP.format(TITLE.format("제목")).encode())
    return png(path, gray, (b"eXIf", EXIF), (b"iTXt", packet))


def in_raw_profiles(path: Path, gray: Gray) -> Path:
    """As ImageMagick writes them."""

    def chunk(name: bytes, content: bytes) -> tuple[bytes, bytes]:
        text = b"\n%s\n%8d\n%s\n" % (name, len(content), content.hex().encode())
        return b"zTXt", b"Raw profile type %s\0\0" % name + zlib.compress(text)

    packet = XMP.format(TITLE.format("제목")).encode()
    iptc = resource(0x0404, iim((2, 120, "부산".encode("cp949")), (2, 80, "홍길동".encode("cp949"))))
    return png(path, gray, chunk(b"8bim", iptc), chunk(b"xmp", packet))


def in_resources(path: Path, gray: Gray) -> Path:
    packet = XMP.format(TITLE.format("제목")).encode()
    iptc = iim((2, 120, "부산".encode("cp949")), (2, 80, "홍길동".encode("cp949")))
    block = resource(0x03ED, bytes(16)) + resource(0x0404, iptc) + resource(0x0424, packet)
    return tiff(path, gray, (34377, 7, len(block), block, True))


def in_big_tiff(path: Path, gray: Gray) -> Path:
    packet = XMP.format(TITLE.format("제목")).encode()
    tags = [(270, 2, 0, "부산".encode("cp949") + b"\0", True), (700, 1, len(packet), packet, True)]
    tags.append((315, 2, 0, "홍길동".encode("cp949") + b"\0", True))
    tifffile.imwrite(path, gray, metadata=None, software=False, byteorder=">", bigtiff=True, extratags=tags)
    return path


EXIF = exif("<", [(270, 2, "부산".encode("cp949") + b"\0"), (315, 2, "홍길동".encode("cp949") + b"\0")])


@pytest.mark.parametrize("make", [in_webp, in_png, in_raw_profiles, in_resources, in_big_tiff])
def test_the_blocks_of_every_container_are_read(
    small: Gray, tmp_path: Path, restored: Restored, make: Callable[[Path, Gray], Path]
) -> None:
    made = restored(make(tmp_path / "a", small), "jpeg")
    assert texts(made.path, "dc:description")[0] == f"{STATEMENT} | 부산"
    assert texts(made.path, "dc:creator") == ["홍길동"]
    assert texts(made.path, "dc:title") == ["제목"]
    assert len(made.metadata.noted) == 2


@pytest.mark.parametrize("order", ["<", ">"])
def test_texts_of_windows_and_user_comments_fill_what_is_open(
    small: Gray, tmp_path: Path, restored: Restored, order: str
) -> None:
    wide = "utf-16-le" if order == "<" else "utf-16-be"
    picture = [
        (40091, 1, "제목".encode("utf-16-le") + b"\0\0"),
        (40094, 1, "다리;한강".encode("utf-16-le") + b"\0\0"),
        (33432, 2, "홍길동\0편집자\0".encode()),
        (315, 129, "김철수\0".encode()),
    ]
    block = exif(order, picture, [(37510, 7, b"UNICODE\0" + "코멘트".encode(wide))])
    made = restored(jpeg(tmp_path / "a.jpg", small, (0xE1, b"Exif\0\0" + block)), "png")
    assert texts(made.path, "dc:title") == ["제목"]
    assert texts(made.path, "dc:subject") == ["다리", "한강"]
    assert texts(made.path, "dc:rights") == ["홍길동; 편집자"]
    assert texts(made.path, "dc:creator") == ["김철수"]
    assert texts(made.path, "dc:description")[0].endswith("| 코멘트")
    assert made.metadata.dropped == ()


def test_what_the_preview_before_a_picture_says_is_carried(
    gray8: Gray, tmp_path: Path, restored: Restored
) -> None:
    said = [(315, 2, 0, "홍길동".encode() + b"\0", True), (270, 2, 0, b"of the preview\0", True)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(gray8[::4, ::4], subfiletype=1, metadata=None, software=False, extratags=said)
        caption = [(270, 2, 0, "부산".encode() + b"\0", True)]
        file.write(gray8, metadata=None, software=False, extratags=caption)
    made = restored(tmp_path / "a.tif", "png")
    assert texts(made.path, "dc:creator") == ["홍길동"]
    assert texts(made.path, "dc:description")[0] == f"{STATEMENT} | 부산"


def test_comments_of_a_pgm_are_told(small: Gray, tmp_path: Path, restored: Restored) -> None:
    header = b"P5\n# a bridge\n%d %d\n255\n" % (small.shape[1], small.shape[0])
    (tmp_path / "a.pgm").write_bytes(header + small.tobytes())
    assert restored(tmp_path / "a.pgm", "png").metadata.dropped == ("PNM: comment",)


@pytest.mark.parametrize("fmt", FORMATS)
def test_what_only_xmp_says_stands_in_the_tags_too(
    small: Gray, tmp_path: Path, restored: Restored, fmt: str
) -> None:
    caption = (
        '<dc:description><rdf:Alt><rdf:li xml:lang="ko">다리</rdf:li>'
        '<rdf:li xml:lang="x-default">A bridge</rdf:li></rdf:Alt></dc:description>'
    )
    creators = "<dc:creator><rdf:Seq><rdf:li>김</rdf:li><rdf:li>이</rdf:li></rdf:Seq></dc:creator>"
    packet = XMP.format(caption + creators).encode()
    tags = [(700, 1, len(packet), packet, True), (315, 2, 0, b"somebody else\0", True)]
    made = restored(tiff(tmp_path / "a.tif", small, *tags), fmt)
    found = ascii_tags(made.path)
    assert found[270].decode() == f"{STATEMENT} | A bridge\0"
    assert found[315].decode() == "김; 이\0"
    assert made.metadata.dropped == ("dc:creator (another value, outside XMP)",)
