import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyvips
from PIL import Image

from restoration import identify
from restoration.masters.metadata import embedded

Maker = Callable[..., Path]


def iim(*records: tuple[int, str]) -> bytes:
    return b"".join(struct.pack(">BBBH", 0x1C, 2, d, len(t.encode())) + t.encode() for d, t in records)


def test_tiff_tags_and_iptc_are_read(tiff: Maker, gray8: np.ndarray) -> None:
    block = iim((80, "김철수"), (110, "국가기록원"), (25, "다리"), (25, "한강"))
    path = tiff(
        gray8,
        description="A bridge",
        extratags=[
            (315, 2, 0, "Kim", True),
            (33432, 2, 0, "CC BY", True),
            (33723, 1, len(block), block, True),
            (700, 1, 9, b"<x:x/>   ", True),
        ],
    )
    found = embedded.read_metadata(path, identify(path))
    assert found.fields["dc:description"] == ("A bridge",)
    assert found.fields["dc:creator"] == ("Kim",)
    assert found.fields["dc:rights"] == ("CC BY",)
    assert found.fields["photoshop:Credit"] == ("국가기록원",)
    assert found.fields["dc:subject"] == ("다리", "한강")
    assert found.xmp == b"<x:x/>   "
    assert found.unread == ()


def test_exif_of_a_jpeg_is_read(picture: Maker, gray8: np.ndarray) -> None:
    exif = Image.Exif()
    exif[315], exif[33432] = "Lee", "public domain"
    exif.get_ifd(34665)[36867] = "1950:06:25 04:00:00"
    path = picture(gray8, "a.jpg", exif=exif)
    found = embedded.read_metadata(path, identify(path))
    assert found.fields["dc:creator"] == ("Lee",)
    assert found.fields["dc:rights"] == ("public domain",)
    assert found.fields["exif:DateTimeOriginal"] == ("1950-06-25T04:00:00",)


def test_damaged_blocks_are_named_and_not_fatal(gray8: np.ndarray, tmp_path: Path) -> None:
    image = pyvips.Image.new_from_array(gray8)
    image.set_type(pyvips.GValue.blob_type, "iptc-data", b"\x1c\x02\x50\x00")
    image.jpegsave(str(tmp_path / "a.jpg"))
    found = embedded.read_metadata(tmp_path / "a.jpg", identify(tmp_path / "a.jpg"))
    assert "dc:creator" not in found.fields


def test_a_master_without_metadata_has_no_fields(picture: Maker, gray8: np.ndarray) -> None:
    path = picture(gray8, "a.png")
    assert embedded.read_metadata(path, identify(path)) == embedded.MasterMetadata()
