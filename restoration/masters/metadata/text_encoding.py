"""Decoding of metadata text, by the declared encoding or by a guess that is noted.

Undeclared text is UTF-8 if it is valid; else CP949, the encoding of old Korean systems, if the result reads
as Korean; else Latin-1, which accepts any bytes. See docs/metadata.md.
"""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

NO_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, even escaped."""

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES: Final = {
    "utf-8": "UTF-8",
    "cp949": "CP949",
    "euc_kr": "EUC-KR",
    "latin-1": "Latin-1",
    "cp1252": "Windows-1252",
    "ascii": "ASCII",
    "iso2022_jp_2": "ISO-2022-JP-2",
    "iso2022_kr": "ISO-2022-KR",
}
_CP949_COMMON: Final = re.compile(rb"(?:[\x00-\x7f]|[\xa1-\xfe][\xa1-\xfe])*\Z")
_CJK_RUN: Final = re.compile(r"[가-힣\u4e00-\u9fff\uf900-\ufaff]+")
_OTHER_SCRIPTS: Final = re.compile(r"[\u0370-\u04ff\u3041-\u30ff\u2500-\u257f\ue000-\uf8ff]")
"""Greek, Cyrillic, kana, box drawing, private use: bytes that decode to these are not CP949."""


_FIRST_LETTER: Final = 0xC0
"""First accented letter of Latin-1; the characters before it are signs."""
_SAMPLE: Final = 4_000
"""Characters by which a text is recognized as Korean."""


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A text, and a note if its encoding was guessed ("decoded as CP949, a guess: ...")."""

    text: str
    note: str | None = None


def decode_text(value: bytes, declared: Sequence[str] = ()) -> DecodedText:
    """Return the text of `value`; `declared` are names of Python codecs, in the order to try them.

    Never fails. The text ends before its first NUL, is stripped, and has no characters that XML cannot hold.
    """
    if value.isascii() and b"\x1b$" not in value and not set(declared) - {"ascii", "utf-8", "latin-1"}:
        return _finished(value.decode("ascii"))
    for bom, codec in _BOMS:
        if value.startswith(bom) and (text := _strict(value[len(bom) :], codec)) is not None:
            return _finished(text)
    whole = value
    value = value.partition(b"\0")[0]
    for codec in declared:
        if (text := _strict(whole if codec.startswith("utf-16") else value, codec)) is not None:
            return _finished(text)
    guess, text = _guessed(value)
    if guess is None:
        return _finished(text)
    reason = (
        f"it is declared as {_name(declared[0])}, which it is not"
        if declared
        else "its character set is not declared"
    )
    return _finished(text, f"decoded as {guess}, a guess: {reason}")


def legal_xml_text(text: str) -> str:
    """Return `text` without the characters that XML cannot hold, lone surrogates among them."""
    return NO_XML.sub("", text)


def is_korean(value: bytes, at_least: int = 1) -> bool:
    """Return whether bytes that are not UTF-8 read as Korean in CP949, with `at_least` that many characters.

    Western names in Latin-1 often are valid CP949: an accented letter and the letter after it make one
    syllable ("Ärzte"), two accented letters make a hanja ("Conceição") or a syllable ("FUNDAÇÃO"). Korean has
    syllables side by side, or alone between blanks; nearly all are among the 2,350 of KS X 1001.
    """
    whole = _strict(value, "cp949")
    text = (whole or "")[:_SAMPLE]
    if whole is None or _OTHER_SCRIPTS.search(text):
        return False
    convincing = doubtful = 0
    for run in _CJK_RUN.finditer(text):
        beside = text[max(0, run.start() - 1) : run.start()] + text[run.end() : run.end() + 1]
        if _is_convincing(run.group(), touches_letters=any(c.isascii() and c.isalpha() for c in beside)):
            convincing += len(run.group())
        else:
            doubtful += len(run.group())
    return convincing >= at_least and convincing >= doubtful


def _is_convincing(run: str, *, touches_letters: bool) -> bool:
    hangul = [c for c in run if "가" <= c <= "힣"]
    common = [c for c in hangul if _CP949_COMMON.match(c.encode("cp949"))]
    if touches_letters:
        no_letters = all(byte < _FIRST_LETTER for byte in run.encode("cp949"))  # "µ¿" is not a western word
        return bool(common) and 2 * len(common) > len(run) and (len(set(common)) > 1 or no_letters)
    if hangul:
        return 3 * len(common) >= 2 * len(hangul)
    return any(a != b for a, b in pairwise(run))


def _guessed(value: bytes) -> tuple[str | None, str]:
    """Return the encoding to be noted (None for UTF-8, which is certain) and the text."""
    codec = ("iso2022_kr" if b"\x0e" in value else "iso2022_jp_2") if b"\x1b$" in value else "utf-8"
    if (text := _strict(value, codec)) is not None:
        return None if codec == "utf-8" else _name(codec), text
    return _guessed_legacy(value)


def _guessed_legacy(value: bytes) -> tuple[str, str]:
    """Return the encoding and the text of bytes that are not UTF-8, or UTF-8 that is cut off."""
    if (text := _utf_8_cut_off(value)) is not None:
        return "UTF-8 cut off within its last character", text
    if is_korean(value):
        return "CP949", value.decode("cp949")
    if is_korean(value[:-1], at_least=3):
        return "CP949 cut off within its last character", value[:-1].decode("cp949")
    if any(0x80 <= byte < 0xA0 for byte in value) and (text := _strict(value, "cp1252")) is not None:
        return "Windows-1252", text
    return "Latin-1", value.decode("latin-1")


def _utf_8_cut_off(value: bytes) -> str | None:
    """Return UTF-8 text without its incomplete last character, None if nothing else shows UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        text = decoder.decode(value)
    except UnicodeDecodeError:
        return None
    return text if not text.isascii() else None


def _strict(value: bytes, codec: str) -> str | None:
    try:
        return value.decode(codec)
    except UnicodeError:
        return None


def _finished(text: str, note: str | None = None) -> DecodedText:
    return DecodedText(legal_xml_text(text.partition("\0")[0]).strip(" \t\r\n"), note)


def _name(codec: str) -> str:
    return _NAMES.get(codec, codec.replace("_", "-").upper())
