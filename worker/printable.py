"""How text that others chose is shown: no name of a file controls a terminal or forges a line of a log."""

import os
import unicodedata
from pathlib import Path


def display_path(path: bytes) -> str:
    """Return a path for people: NFC text, undecodable bytes shown as escapes."""
    return unicodedata.normalize("NFC", path.decode("utf-8", "backslashreplace"))


def printable(name: str | Path) -> str:
    """Return a name in printable characters: bytes that are no text, and all controls, are shown as escapes.

    Controls are those of terminals, line breaks of all kinds, and the marks that turn the direction of text.
    """
    try:
        text = os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a surrogate pair, which no name of a file can hold
        text = str(name)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_lines(text: str) -> str:
    """Return text of several lines in printable characters, its line breaks and tabs kept."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def printable_json(document: str) -> str:
    """Return a JSON document of the same meaning in printable characters: all others are JSON's escapes."""
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in document)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
