"""That nothing which a master says is dropped without being named: real masters, block by block."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from restoration import Compute, Input, LoadedModel, MetadataReport, Output, Recipe, restore

Gray = np.ndarray
Recipes = Callable[..., Recipe]
Made = Callable[[Path], MetadataReport]

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:identifier="CET0012345"
 xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:Version="9"/></rdf:RDF></x:xmpmeta>"""


def iim(*records: tuple[int, str]) -> bytes:
    return b"".join(struct.pack(">BBBH", 0x1C, 2, d, len(t.encode())) + t.encode() for d, t in records)


IPTC = iim((80, "김철수"), (25, "다리"), (25, "한강"), (40, "handle with care"), (95, "Seoul"))
PHOTOSHOP = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(IPTC)) + IPTC + b"\0" * (len(IPTC) % 2)
RESOLUTION_INFO = b"8BIM" + struct.pack(">HHI", 0x03ED, 0, 4) + b"abcd"


def exif() -> Image.Exif:
    block = Image.Exif()
    block[271], block[272], block[315] = "Epson", "V850", "Lee"
    block[274], block[305] = 6, "VueScan"
    block.get_ifd(34665)[36867] = "1950:06:25 04:00:00"
    block.get_ifd(34665)[33437] = 5.6
    block.get_ifd(34853)[1] = "N"
    return block


@pytest.fixture
def report(recipe: Recipes, loaded: LoadedModel, tmp_path: Path) -> Made:
    def make(master: Path) -> MetadataReport:
        return restore(
            Input(master), recipe(), Output(tmp_path / f"{master.name}.out"), Compute(model=loaded)
        ).metadata

    return make


def test_all_that_a_tiff_says_is_told(gray16: Gray, tmp_path: Path, report: Made) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        gray16,
        metadata=None,
        description="A bridge",
        software="VueScan",
        iccprofile=PROFILE,
        resolution=(600, 600),
        resolutionunit="INCH",
        datetime="2020:01:02 03:04:05",
        extratags=[
            (271, 2, 0, "Epson", True),
            (272, 2, 0, "V850", True),
            (274, 3, 1, 6, True),
            (315, 2, 0, "Kim", True),
            (700, 1, len(XMP), XMP, True),
            (33723, 1, len(IPTC), IPTC, True),
            (34377, 1, len(RESOLUTION_INFO), RESOLUTION_INFO, True),
            (65000, 2, 0, "our own", True),
        ],
    )
    told = report(tmp_path / "a.tif")
    assert set(told.carried) == {"resolution", "dc:identifier", "dc:description", "dc:creator", "dc:subject"}
    assert [entry.partition(" ")[0] for entry in told.replaced] == ["ICC", "orientation"]
    assert set(told.dropped) == {
        "{http://ns.adobe.com/camera-raw-settings/1.0/}Version",
        "TIFF: Make",
        "TIFF: Model",
        "TIFF: Software",
        "TIFF: DateTime",
        "TIFF: 65000",
        "TIFF: PhotoshopInfo",
        "IPTC-IIM: Special Instructions",
        "IPTC-IIM: Province/State",
        "IPTC-IIM: dc:creator (the TIFF says otherwise)",
    }


def test_exif_iptc_and_previews_of_a_tiff_are_reported(gray8: Gray, tmp_path: Path, report: Made) -> None:
    broken = b"<broken"
    blocks = [(34377, 1, len(PHOTOSHOP), PHOTOSHOP, True), (700, 1, len(broken), broken, True)]
    pointers = [(65001, 4, 1, 1, True), (65002, 4, 1, 1, True)]
    with tifffile.TiffWriter(tmp_path / "a.tif", byteorder="<") as file:
        file.write(
            gray8,
            metadata=None,
            software=False,
            resolution=(300, 300),
            resolutionunit="INCH",
            extratags=blocks + pointers,
        )
        file.write(gray8[::4, ::4], subfiletype=1, metadata=None)
    point_at_exif(tmp_path / "a.tif")
    told = report(tmp_path / "a.tif")
    assert {"dc:creator", "dc:subject", "exif:DateTimeOriginal", "resolution"} <= set(told.carried)
    assert {
        "XMP (damaged)",
        "EXIF: FNumber",
        "EXIF: GPS position",
        "TIFF: PhotoshopInfo",
        "TIFF: 1 reduced copies or masks",
        "IPTC-IIM: Special Instructions",
        "IPTC-IIM: Province/State",
    } == set(told.dropped)


def point_at_exif(path: Path) -> None:
    """Append an EXIF and a GPS directory to a TIFF and let its pointers lead there."""
    end = path.stat().st_size
    taken = b"1950:06:25 04:00:00\0"
    exif_ifd = struct.pack("<HHHIIHHIII", 2, 33437, 5, 1, end + 30, 36867, 2, len(taken), end + 38, 0)
    exif_ifd += struct.pack("<II", 56, 10) + taken
    gps_ifd = struct.pack("<HHHI4sI", 1, 1, 2, 2, b"N\0\0\0", 0)
    with tifffile.TiffFile(path) as file:
        places = [file.pages.first.tags[code].offset for code in (65001, 65002)]
    with path.open("r+b") as raw:
        for place, code, target in zip(places, (34665, 34853), (end, end + len(exif_ifd)), strict=True):
            raw.seek(place)
            raw.write(struct.pack("<HHII", code, 4, 1, target))
        raw.seek(end)
        raw.write(exif_ifd + gps_ifd)


def test_a_resolution_without_a_unit_is_told(gray8: Gray, tmp_path: Path, report: Made) -> None:
    tifffile.imwrite(tmp_path / "a.tif", gray8, metadata=None, resolution=(3, 3), resolutionunit="NONE")
    told = report(tmp_path / "a.tif")
    assert "resolution" not in told.carried
    assert "TIFF: resolution (without a unit)" in told.dropped


def test_all_that_a_jpeg_says_is_told(gray8: Gray, tmp_path: Path, report: Made) -> None:
    block = exif()
    Image.fromarray(gray8).save(
        tmp_path / "a.jpg", exif=block, icc_profile=PROFILE, dpi=(300, 300), comment=b"by hand", xmp=XMP
    )
    content = (tmp_path / "a.jpg").read_bytes()
    segments = (
        (0xED, b"Photoshop 3.0\0" + PHOTOSHOP + RESOLUTION_INFO),
        (0xE2, b"MPF\0" + bytes(20)),
        (0xE0, b"JFXX\0" + bytes(20)),
    )
    extra = b"".join(struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data for kind, data in segments)
    (tmp_path / "b.jpg").write_bytes(content[:20] + extra + content[20:])
    told = report(tmp_path / "b.jpg")
    assert set(told.carried) == {
        "resolution",
        "dc:identifier",
        "dc:creator",
        "dc:subject",
        "exif:DateTimeOriginal",
    }
    assert [entry.partition(" ")[0] for entry in told.replaced] == ["ICC", "orientation"]
    assert set(told.dropped) == {
        "{http://ns.adobe.com/camera-raw-settings/1.0/}Version",
        "EXIF: Make",
        "EXIF: Model",
        "EXIF: Software",
        "EXIF: FNumber",
        "EXIF: GPS position",
        "EXIF: dc:creator (the IPTC-IIM says otherwise)",
        "IPTC-IIM: Special Instructions",
        "IPTC-IIM: Province/State",
        "JPEG: comment",
        "JPEG: Photoshop resources",
        "JPEG: APP2 MPF",
        "JPEG: APP0 JFXX",
    }


def test_a_thumbnail_in_exif_is_told(gray8: Gray, tmp_path: Path, report: Made) -> None:
    image = pyvips.Image.new_from_array(gray8).copy()
    image.set_type(pyvips.GValue.blob_type, "exif-data", exif_with_thumbnail())
    image.jpegsave(str(tmp_path / "a.jpg"))
    assert "EXIF: thumbnail" in report(tmp_path / "a.jpg").dropped


def exif_with_thumbnail() -> bytes:
    thumbnail = b"\xff\xd8\xff\xd9"
    first = struct.pack("<HI", 0, 14)
    second = struct.pack("<HHHIIHHIII", 2, 513, 4, 1, 44, 514, 4, 1, len(thumbnail), 0)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + thumbnail


def test_all_that_a_png_says_is_told(gray8: Gray, tmp_path: Path, report: Made) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "A bridge")
    texts.add_text("Author", "Lee")
    texts.add_text("Disclaimer", "none", zip=True)
    texts.add_itxt("Comment", "한강")
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    texts.add(b"tIME", bytes(7))
    image = Image.fromarray(gray8)
    image.save(tmp_path / "a.png", pnginfo=texts, exif=exif(), icc_profile=PROFILE, dpi=(300, 300))
    told = report(tmp_path / "a.png")
    assert set(told.carried) == {
        "resolution",
        "dc:identifier",
        "dc:title",
        "dc:creator",
        "exif:DateTimeOriginal",
    }
    assert told.replaced == ("orientation 6: applied to the pixels",)
    assert set(told.dropped) == {
        "{http://ns.adobe.com/camera-raw-settings/1.0/}Version",
        "EXIF: Make",
        "EXIF: Model",
        "EXIF: Software",
        "EXIF: FNumber",
        "EXIF: GPS position",
        "PNG text: Disclaimer",
        "PNG text: Comment",
        "PNG: tIME",
        "ICC profile (not one for gray)",
    }


def test_a_damaged_exif_block_is_told(gray8: Gray, tmp_path: Path, report: Made) -> None:
    content = b"Exif\0\0II*\0" + struct.pack("<I", 8) + struct.pack("<HHHII", 1, 315, 2, 900, 4000)
    Image.fromarray(gray8).save(tmp_path / "a.jpg")
    jpeg = (tmp_path / "a.jpg").read_bytes()
    segment = struct.pack(">BBH", 0xFF, 0xE1, len(content) + 2) + content
    (tmp_path / "a.jpg").write_bytes(jpeg[:20] + segment + jpeg[20:])
    assert report(tmp_path / "a.jpg").dropped == ("EXIF (damaged in part)",)


def test_a_master_that_says_nothing_drops_nothing(gray8: Gray, tmp_path: Path, report: Made) -> None:
    for name in ("a.png", "a.jpg", "a.webp", "a.gif"):
        Image.fromarray(gray8).save(tmp_path / name)
        told = report(tmp_path / name)
        assert (told.replaced, told.dropped) == ((), ()), name
    tifffile.imwrite(tmp_path / "a.tif", gray8, metadata=None, software=False)
    assert report(tmp_path / "a.tif") == MetadataReport((), (), ())
