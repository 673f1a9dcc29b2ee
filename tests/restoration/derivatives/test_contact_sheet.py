import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from restoration import MissingFile, contact_sheet
from restoration.derivatives.contact_sheet import caption_font, legible

Maker = Callable[..., Path]


def test_before_and_after_stand_side_by_side(
    tiff: Maker, picture: Maker, gray16: np.ndarray, tmp_path: Path
) -> None:
    pair = ("국립기록원/판 1.tif", tiff(gray16), picture(data.astronaut(), "b.png"))
    contact_sheet([pair] * 5, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        sheet = np.asarray(image.convert("RGB"), int)
    assert sheet.shape[1] > 2 * 2 * 300
    left, right = sheet[20:300, 60:300], sheet[20:300, 360:620]
    assert np.ptp(left, axis=-1).mean() < 5
    assert np.ptp(right, axis=-1).mean() > 20


def test_captions_are_drawn(tiff: Maker, gray8: np.ndarray, tmp_path: Path) -> None:
    master = tiff(gray8)
    for name, caption in (("a.png", "판"), ("b.png", "사진")):
        contact_sheet([(caption, master, master)], tmp_path / name)
    with Image.open(tmp_path / "a.png") as a, Image.open(tmp_path / "b.png") as b:
        strips = [np.asarray(image)[-40:] for image in (a, b)]
    assert not np.array_equal(*strips)


def test_pictures_look_as_their_profiles_tell(tiff: Maker, tmp_path: Path) -> None:
    linear = np.full((300, 300), 55, np.uint8)  # linear light: 55 / 255 shows as 128 / 255 in sRGB
    shown = np.full((300, 300), 128, np.uint8)
    pair = ("a", tiff(linear, "a.tif", iccprofile=linear_gray_profile()), tiff(shown, "b.tif"))
    contact_sheet([pair], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        sheet = np.asarray(image.convert("L"), int)
    assert abs(sheet[170, 170] - sheet[170, 490]) <= 1
    assert abs(sheet[170, 170] - 128) <= 1


def linear_gray_profile() -> bytes:
    tags = {
        b"kTRC": b"curv" + bytes(8),
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3I", 63190, 65536, 54061),
    }
    entries, body = b"", b""
    for tag, content in tags.items():
        entries += struct.pack(">4sII", tag, 132 + 24 + len(body), len(content))
        body += content
    head = struct.pack(">IIII", 132 + 24 + len(body), 0, 0x02400000, 0x6D6E7472) + b"GRAYXYZ " + bytes(12)
    head += b"acsp" + bytes(28) + struct.pack(">3I", 63190, 65536, 54061) + bytes(48)
    return head + struct.pack(">I", 2) + entries + body


def ink(text: str) -> np.ndarray:
    """What is drawn for a text, by Pillow, on a canvas of one size."""
    image = Image.new("L", (160, 30), 0)
    ImageDraw.Draw(image).text((2, 2), text, 255, caption_font())
    return np.asarray(image)


def test_each_hangul_syllable_has_a_glyph_of_its_own() -> None:
    """2,350 syllables are in KS X 1001; Python's codec knows which."""
    pairs = [bytes([row, cell]) for row in range(0xB0, 0xC9) for cell in range(0xA1, 0xFF)]
    syllables = [pair.decode("euc_kr") for pair in pairs]
    assert len(syllables) == 2350
    box = ink("\uffff").tobytes()
    drawn = {ink(syllable).tobytes() for syllable in (*syllables, "\ub6c1", "\ud7a3")}
    assert len(drawn) == 2352
    assert box not in drawn


def test_hangul_and_hanja_are_drawn_as_they_are() -> None:
    for name in ("서울 1950년대.tif", "漢江鐵橋", "plate-7.tif", "Fräulein Œ", "ㄱㄴㄷ"):
        assert legible(name, caption_font()) == name


def test_decomposed_hangul_is_drawn_composed() -> None:
    assert legible("\u1112\u1161\u11ab강", caption_font()) == "한강"


def test_characters_missing_in_the_font_are_written_by_number() -> None:
    assert legible("판 \U0001f600.tif", caption_font()) == "판 U+1F600.tif"
    assert legible("\u0e1e", caption_font()) == "U+0E1E"


def test_a_sheet_shows_the_caption_that_pillow_draws(tiff: Maker, gray8: np.ndarray, tmp_path: Path) -> None:
    master = tiff(gray8)
    contact_sheet([("서울 한강철교", master, master)], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        strip = np.asarray(image.convert("L"), int)[-34:-12]
    shown = strip < 160
    expected = ink("서울 한강철교") > 100
    rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
    lines, places = (np.flatnonzero(expected.any(axis=axis)) for axis in (1, 0))
    assert abs(np.ptp(rows) - np.ptp(lines)) <= 1
    assert abs(np.ptp(columns) - np.ptp(places)) <= 1


def test_a_missing_picture_leaves_no_sheet(tiff: Maker, gray8: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        contact_sheet([("a", tiff(gray8), tmp_path / "none.tif")], tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


def test_no_pairs_make_no_sheet(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], tmp_path / "sheet.png")
