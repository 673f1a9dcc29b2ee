"""Encodings: the bytes come from Python's codecs, the right texts from the lists below."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from restoration.masters.metadata.text_encoding import NO_XML, decode_text

# fmt: off
WESTERN = [
    "Müller",
    "Ärzte",
    "Årsta",
    "Åland",
    "Århus",
    "Ångström",
    "Ängelholm",
    "Café",
    "München",
    "Conceição",
    "FUNDAÇÃO",
    "EXPOSIÇÃO",
    "AÇÕES",
    "São João",
    "Jäätee",
    "jäääär",
    "JÄÄÄÄR",
    "Ávila",
    "Álvarez",
    "Évora",
    "Île-de-France",
    "«Foto»",
    "«Photographie»",
    "20°C",
    "©1952",
    "Çanakkale",
    "PÄÄMAJA",
    "ÄÄNI",
    "MÄDCHEN",
    "GÄSTE",
    "Große Straße, Ärztehaus",
    "François",
    "Élysée",
    "Ñandú",
    "ÉCOLE",
    "L'ÉTÉ",
    "À-côté",
    "Tradição",
    "naïve",
    "Noël",
    "Ærø",
    "smørrebrød",
    "Þór",
    "ÞÓRÐUR",
    "Ásgeirsdóttir",
    "ÁÉÍÓÚ",
    "äöü",
    "ÅÄÖ",
    "åäö",
    "àéèùç",
    "¿Qué?",
    "¡Hola!",
    "±5",
    "Årsmöte i Ängelholm",
    "A Fundação Conceição",
    "ÁLBUM DE LA EXPOSICIÓN",
    "FUNDAÇÃO DA CONCEIÇÃO",
    "Fotografía «Ávila»",
]
KOREAN = [
    "부산 국제시장 전경",
    "홍길동",
    "봄",
    "및",
    "서울 KBS에서",
    "A4용지",
    "홍길동(洪吉童)",
    "朝鮮總督府",
    "朝鮮總督府 廳舍",
    "1952년 3월",
    "똠방각하",
    "펲시콜라",
    "사진·글 김철수",
    "「한강」",
    "ⓒ시립기록관",
    "한강 철교 Bridge",
    "pdf파일",
    "6·25 전쟁",
    "경성 京城",
    "㈜현대",
    "대한민국",
    "가",
    "Mr.김", "B동 3층", "A동", "제1공장B", "(주)한국", "1952년~1960년",
]
# fmt: on


@pytest.mark.parametrize("text", WESTERN)
def test_western_latin_1_is_not_taken_for_korean(text: str) -> None:
    found = decode_text(text.encode("latin-1"))
    assert found.text == text
    assert found.note == "decoded as Latin-1, a guess: its character set is not declared"


@pytest.mark.parametrize("text", KOREAN)
def test_korean_cp949_is_recognized_and_noted_as_a_guess(text: str) -> None:
    found = decode_text(text.encode("cp949"))
    assert found.text == text
    assert found.note == "decoded as CP949, a guess: its character set is not declared"


@pytest.mark.parametrize("text", ["", "plain", *WESTERN, *KOREAN, "한강 😀", "שלום", "ภาษาไทย"])
def test_utf_8_is_not_noted_as_a_guess(text: str) -> None:
    assert decode_text(text.encode()) == decode_text(text.encode(), ("utf-8",))
    assert (decode_text(text.encode()).text, decode_text(text.encode()).note) == (text, None)


@pytest.mark.parametrize(
    ("raw", "declared", "text"),
    [
        ("대한".encode("euc_kr"), ("euc_kr", "cp949"), "대한"),
        ("Café".encode("latin-1"), ("latin-1",), "Café"),
        ("東京".encode("euc_jp"), ("euc_jp",), "東京"),
        ("제목".encode("utf-16-le") + b"\0\0", ("utf-16-le",), "제목"),
        (b"\xff\xfe" + "제목".encode("utf-16-le"), (), "제목"),
        (b"\xfe\xff" + "제목".encode("utf-16-be"), (), "제목"),
        (b"\xef\xbb\xbf" + "제목".encode(), (), "제목"),
    ],
)
def test_a_declared_encoding_is_not_noted_as_a_guess(
    raw: bytes, declared: tuple[str, ...], text: str
) -> None:
    found = decode_text(raw, declared)
    assert (found.text, found.note) == (text, None)


def test_a_wrong_declaration_is_noted() -> None:
    found = decode_text("부산 국제시장".encode("cp949"), ("utf-8",))
    assert found.text == "부산 국제시장"
    assert found.note == "decoded as CP949, a guess: it is declared as UTF-8, which it is not"


@pytest.mark.parametrize("codec", ["iso2022_jp", "iso2022_kr"])
def test_escape_sequences_of_iso_2022_are_followed(codec: str) -> None:
    text = {"iso2022_jp": "東京", "iso2022_kr": "부산"}[codec]
    found = decode_text(text.encode(codec))
    assert found.text == text
    assert "ISO-2022" in (found.note or "")


@pytest.mark.parametrize("codec", ["utf-8", "cp949"])
def test_a_text_cut_within_a_character_is_read_up_to_it(codec: str) -> None:
    found = decode_text("부산 국제시장".encode(codec)[:-1])
    assert found.text == "부산 국제시"
    assert "cut off" in (found.note or "")


def test_typographic_marks_of_windows_are_read() -> None:
    assert decode_text("“Café”".encode("cp1252")).text == "“Café”"


@given(st.binary())
def test_any_bytes_give_text_that_xml_can_hold(raw: bytes) -> None:
    assert not NO_XML.search(decode_text(raw).text)


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")))
def test_any_unicode_text_is_read_unchanged(text: str) -> None:
    found = decode_text(text.encode("utf-8"))
    if "\x1b$" not in text and not text.startswith("\ufeff"):
        assert found.text == NO_XML.sub("", text).strip(" \t\r\n")


@pytest.mark.parametrize("form", ["x{}x", "{}x", "x{}"])
def test_no_pair_of_accented_letters_is_taken_for_korean(form: str) -> None:
    letters = [chr(code) for code in range(0xC0, 0x100) if code not in {0xD7, 0xF7}]
    for first, second in itertools.product(letters, letters):
        word = form.format(first + second)
        word = word.upper() if (first + second).isupper() else word
        if first.isupper() == second.isupper() and not word.isascii():
            found = decode_text(word.encode("latin-1", "ignore"))
            assert "CP949" not in (found.note or ""), word


@pytest.mark.parametrize(("length", "wrong"), [(1, 0.12), (2, 0.02), (3, 0.004), (5, 0.0005)])
def test_nearly_all_common_syllables_are_read_as_korean(length: int, wrong: float) -> None:
    rows, cells = range(0xB0, 0xC9), range(0xA1, 0xFF)
    syllables = [bytes((row, cell)).decode("euc_kr") for row in rows for cell in cells]
    draw = random.Random(1)
    texts = ["".join(draw.choices(syllables, k=length)) for _ in range(2_000)]
    misread = sum(decode_text(text.encode("cp949")).text != text for text in texts)
    assert misread <= wrong * len(texts)
