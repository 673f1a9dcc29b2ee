"""Names that Linux allows, and that control a terminal, forge a line or turn the direction of text."""

NAMES = (
    "\x1b[31mred\x1b[0m.tif",
    "\x1b]0;title\x07.tif",
    "a\nsaek: forged line.tif",
    "a\r2026-11-28 [error] forged.tif",
    "rtl\u202efit.tif",
    "iso\u2066late\u2069.tif",
    "c1\x9b31m.tif",
    "line\u2028para\u2029.tif",
    "del\x7f.tif",
    "zero\u200bwidth\ufeff.tif",
    "tab\tb.tif",
)


def speaks(text: str) -> bool:
    """Whether a text does more than show itself, line breaks aside."""
    return any(not c.isprintable() for c in text.replace("\n", ""))
