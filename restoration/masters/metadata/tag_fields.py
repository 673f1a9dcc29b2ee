"""TIFF and EXIF tags as XMP properties."""

from collections.abc import Mapping
from typing import Final

from restoration.masters.metadata import dates
from restoration.masters.metadata.properties import MetadataProperties
from restoration.masters.metadata.tags import Tag
from restoration.masters.metadata.text_encoding import DecodedText, decode_text

_TEXT_TAGS: Final = {270: "dc:description", 269: "dc:title", 315: "dc:creator", 33432: "dc:rights"}
_WINDOWS_TAGS: Final = {
    40091: "dc:title",
    40092: "dc:description",
    40093: "dc:creator",
    40094: "dc:subject",
}
"""XPTitle, XPComment, XPAuthor and XPKeywords, in UTF-16: read where no other tag has the property."""
_USER_COMMENT: Final = 37510
_COMMENT_CODECS: Final = {
    b"ASCII\0\0\0": ("ascii",),
    b"JIS\0\0\0\0\0": ("iso2022_jp", "euc_jp", "shift_jis"),
    b"UNICODE\0": ("utf-16",),
    b"\0\0\0\0\0\0\0\0": (),
}
_RIGHTS, _TAKEN, _FRACTION, _OFFSET = 33432, 36867, 37521, 36881


def add_tag_properties(tags: Mapping[int, Tag], properties: MetadataProperties) -> frozenset[int]:
    """Add the properties of TIFF and EXIF tags; return the codes of the tags that were used."""
    known = {*_TEXT_TAGS, _TAKEN} & tags.keys()
    for code, name in _TEXT_TAGS.items():
        if code in tags and (raw := tags[code].text):
            properties.add(name, _copyright(raw) if code == _RIGHTS else decode_text(raw))
            if code != _RIGHTS and _has_text_after_nul(raw):
                properties.left_out.append(f"{name} (the text after its end)")
    for code, name in _WINDOWS_TAGS.items():
        if code in tags and name not in properties.fields and (raw := tags[code].text):
            parts = decode_text(raw, ("utf-16-le",))
            several = parts.text.split(";") if name in {"dc:subject", "dc:creator"} else [parts.text]
            properties.add(name, *(DecodedText(one.strip(), parts.note) for one in several))
            known.add(code)
    if _USER_COMMENT in tags and "dc:description" not in properties.fields:
        comment = _user_comment(tags[_USER_COMMENT])
        properties.add("dc:description", comment)
        known |= {_USER_COMMENT} if comment.text else set()
    if _TAKEN in tags:
        known |= {_FRACTION, _OFFSET} & tags.keys()
        taken, fraction, offset = (_text_of(tags.get(code)) for code in (_TAKEN, _FRACTION, _OFFSET))
        date = dates.from_exif(taken, fraction, offset)
        if date:
            properties.add("exif:DateTimeOriginal", DecodedText(date))
        else:
            properties.left_out.append(f"exif:DateTimeOriginal (no date: {taken!r})")
    return frozenset(known)


def _text_of(tag: Tag | None) -> str:
    return decode_text(tag.text or b"").text if tag else ""


def _copyright(raw: bytes) -> DecodedText:
    """Return a copyright as one text: EXIF separates the photographer's from the editor's by a NUL."""
    parts = [one for one in map(decode_text, raw.split(b"\0")[:2]) if one.text]
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or not parts:
        return decode_text(raw)
    return DecodedText(
        "; ".join(one.text for one in parts), next((one.note for one in parts if one.note), None)
    )


def _has_text_after_nul(raw: bytes) -> bool:
    """Return whether text follows the first NUL of a text with one byte per character."""
    return not raw.startswith((b"\xff\xfe", b"\xfe\xff")) and bool(raw.partition(b"\0")[2].strip(b"\0 "))


def _user_comment(tag: Tag) -> DecodedText:
    raw = tag.text or b""
    codecs = _COMMENT_CODECS.get(raw[:8])
    if codecs == ("utf-16",):
        codecs = ("utf-16-le", "utf-16-be") if tag.order == "<" else ("utf-16-be", "utf-16-le")
    return DecodedText("") if codecs is None else decode_text(raw[8:], codecs)
