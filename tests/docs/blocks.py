"""Which command lines README.md, CONTRIBUTING.md and docs/ give, as a reader would type them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_WORDS = """saek make pip python3 .venv/bin/python cp sudo sudoedit docker journalctl printf pg_dump psql
rsync curl touch convmv git"""
COMMANDS = frozenset(_WORDS.split())
"""First words that make a line a command. An indented block without one is a drawing, a formula or output."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block of command lines."""

    page: str
    number: int
    """Of the line that it begins with, from 1."""
    lines: tuple[str, ...]
    """Whole lines: those that end with a backslash hold what follows."""


def pages(root: Path) -> list[str]:
    """Return the pages that are run, relative to the root of the repository."""
    found = [path.relative_to(root).as_posix() for path in (root / "docs").rglob("*.md")]
    return ["README.md", "CONTRIBUTING.md", *sorted(found)]


def blocks(root: Path, page: str) -> Iterator[Block]:
    """Yield the command blocks of a page: fenced as `sh`, or indented and beginning with a command."""
    text = (root / page).read_text(encoding="utf-8").split("\n")
    number = 0
    while number < len(text):
        fence = re.match(r"\s*```(\w*)", text[number])
        begin = number
        number += 1
        if fence:
            body = []
            while not re.match(r"\s*```", text[number]):
                body.append(text[number])
                number += 1
            number += 1
            if fence[1] in {"sh", "bash", "console"}:
                yield Block(page, begin + 2, _whole(body))
        elif text[begin].startswith("    ") and not text[begin - 1].strip():
            body = [text[begin][4:]]
            while number < len(text) and (text[number].startswith("    ") or not text[number].strip()):
                body.append(text[number][4:])
                number += 1
            lines = _whole(body)
            if any(first_word(line) in COMMANDS for line in lines):
                yield Block(page, begin + 1, lines)
    if page == "README.md":
        yield from _table_rows(page, text)


def first_word(line: str) -> str:
    """Return the first word of a command line."""
    return line.split(maxsplit=1)[0] if line.split() else ""


def _whole(body: list[str]) -> tuple[str, ...]:
    """Join continued lines; leave out empty ones and those that are all comment."""
    joined = re.sub(r"\\\n\s*", "", "\n".join(body)).split("\n")
    return tuple(line.rstrip() for line in joined if line.strip() and not line.lstrip().startswith("#"))


def _table_rows(page: str, text: list[str]) -> Iterator[Block]:
    """Yield what the cells of README's tables say to type."""
    for number, line in enumerate(text, 1):
        if line.startswith("|"):
            said = tuple(one for one in re.findall(r"`([^`]+)`", line) if one.startswith("saek "))
            if said:
                yield Block(page, number, said)
