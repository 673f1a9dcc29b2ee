"""Times, sizes and counts as text for people."""

import datetime as dt

from worker.printable import printable

__all__ = ["count", "duration", "megapixels", "moment", "printable", "size"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def moment(at: dt.datetime | None) -> str:
    """Return a time in the local time zone, to the second; "" for None."""
    return "" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: "850 ms", "4.2 s", "3 min 20 s", "2 d 4 h"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    for unit, name, part, part_name in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // part
            return f"{whole // unit} {name} {rest} {part_name}" if rest else f"{whole // unit} {name}"
    raise AssertionError(whole)


def size(count: float) -> str:
    """Return a number of bytes in decimal units: "512 B", "3.4 MB", "1.2 TB"."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.5:
            return f"{count:.1f} {unit}" if count < 99.95 else f"{count:.0f} {unit}"
    return f"{count / 1000:,.1f} TB"


def megapixels(pixels: float) -> str:
    """Return a number of pixels in millions: "0.3 MP", "1,240 MP"."""
    millions = pixels / 1e6
    return f"{millions:.1f} MP" if millions < 99.95 else f"{millions:,.0f} MP"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return "1 job", "3 jobs", "1,200 jobs"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
