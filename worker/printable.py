"""Printable text: no file name controls a terminal or forges a log line."""

import os
import unicodedata
from pathlib import Path


def display_path(path: bytes) -> str:
    """Return a path for display: NFC text, with undecodable bytes as escapes."""
    return unicodedata.normalize("NFC", path.decode("utf-8", "backslashreplace"))


def printable(name: str | Path) -> str:
    """Return a name in printable characters, with undecodable bytes and all control characters as escapes.

    These include terminal controls, all line breaks, and the marks for the direction of text.
    """
    try:
        text = os.fsencode(name).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a lone surrogate, which no file name can hold
        text = str(name)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_lines(text: str) -> str:
    """Return text in printable characters, with line breaks and tabs kept."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def printable_json(document: str) -> str:
    """Return an equal JSON document in printable characters, with all others as JSON escapes."""
    return "".join(c if c.isprintable() or c == "\n" else _json_escape(c) for c in document)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
