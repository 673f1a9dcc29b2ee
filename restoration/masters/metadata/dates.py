"""Conversion of dates between EXIF, IPTC-IIM and XMP; None for text that is not a date.

XMP: "1952", "1952-03", "1952-03-14", "1952-03-14T10:00", with seconds, fractions and zone (ISO 8601, as in
XMP part 1). EXIF: "1952:03:14 10:00:00", unknown parts blank. IPTC-IIM: "19520314", unknown parts 00, and the
time of day "100000+0900" in a separate data set.
"""

import datetime as dt
import re
from typing import Final

_XMP: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z", re.ASCII
)
_EXIF: Final = re.compile(
    r"(\d{4})(?:[:/.-](\d\d|  )(?:[:/.-](\d\d|  )(?:(?:T| +(?=\d)| )(\d\d|  ):(\d\d|  )"
    r"(?::(\d\d|  )(\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?)?)?)?\s*\Z",
    re.ASCII,
)
_IIM: Final = re.compile(r"(\d{4})-?(\d\d)?-?(\d\d)?\Z", re.ASCII)
_IIM_TIME: Final = re.compile(r"(\d\d):?(\d\d):?(\d\d)?(Z|[+-]\d\d:?\d\d)?\Z", re.ASCII)
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)\Z", re.ASCII)


def from_exif(text: str, fraction: str = "", offset: str = "") -> str | None:
    """Return an EXIF date with its SubSecTime and OffsetTime in the form of XMP.

    Accepts dates in the form of XMP as well, which some software writes to EXIF.
    """
    text = text.rstrip(" \0")
    found = _EXIF.match(text.ljust(19) if text.count(":") == 4 else text)
    if found is None:
        return None
    year, month, day, hour, minute, second, decimals, zone = (part or "" for part in found.groups())
    fraction = fraction.strip()
    decimals = decimals or (f".{fraction}" if fraction.isascii() and fraction.isdigit() else "")
    return _joined(year, month, day, (hour, minute, second or "00", decimals), zone or offset.strip())


def from_iim(date: str, time: str = "") -> str | None:
    """Return date (2:55) and time (2:60) of IPTC-IIM in the form of XMP, without an invalid time."""
    found = _IIM.match(date.strip())
    if found is None:
        return from_exif(date)
    year, month, day = (part or "" for part in found.groups())
    clock = _IIM_TIME.match(time.strip())
    hour, minute, second, zone = (part or "" for part in clock.groups()) if clock else ("", "", "", "")
    return _joined(year, month, day, (hour, minute, second or "00", ""), zone)


def as_xmp(text: str) -> str | None:
    """Return a date of a foreign XMP packet in the form of XMP; a date in EXIF's form is converted."""
    found = _XMP.match(text.strip())
    if found is None:
        return from_exif(text)
    year, month, day, hour, minute, second, decimals, zone = (part or "" for part in found.groups())
    exact = _joined(year, month, day, (hour, minute, second or "00", decimals), zone)
    return text.strip() if exact and (not hour or "T" in exact) else exact


def to_exif(text: str) -> tuple[str, str, str] | None:
    """Return a date in the form of XMP as an EXIF date, SubSecTime and OffsetTime, "" where unknown."""
    found = _XMP.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, decimals, zone = (part or "" for part in found.groups())
    blank = "  "
    clock = ":".join(part or (blank if not hour else "00") for part in (hour, minute, second))
    offset = "+00:00" if zone == "Z" else zone
    return f"{year}:{month or blank}:{day or blank} {clock}", decimals.removeprefix("."), offset


def _joined(year: str, month: str, day: str, clock: tuple[str, str, str, str], zone: str) -> str | None:
    """Return the known parts joined, without an invalid time; None if they are not a date."""
    unknown = {"", "00", "  "}
    if year == "0000":
        return None
    if month in unknown:
        return year
    if day in unknown:
        return f"{year}-{month}" if _is_date(year, month, "01") else None
    if not _is_date(year, month, day):
        return None
    hour, minute, second, decimals = (part.replace("  ", "") for part in clock)
    date = f"{year}-{month}-{day}"
    if not hour or not minute or not _is_time(hour, minute, second):
        return date
    return f"{date}T{hour}:{minute}:{second or '00'}{decimals}{_zone(zone)}"


def _zone(zone: str) -> str:
    found = _OFFSET.match(zone)
    if zone == "Z":
        return "Z"
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        return ""
    return f"{found[1]}{found[2]}:{found[3]}"


def _is_date(year: str, month: str, day: str) -> bool:
    try:
        dt.date(int(year), int(month), int(day))
    except ValueError:
        return False
    return True


def _is_time(hour: str, minute: str, second: str) -> bool:
    return int(hour) < 24 and int(minute) < 60 and int(second or "0") < 60
