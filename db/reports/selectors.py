"""Selectors: finding the scan or file that a person names."""

from hashlib import sha256
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from db.core.schema import Job, Scan, Sighting
from db.errors import AmbiguousSelector

_SHORTEST_PREFIX: Final = 6
_LONGEST_ID: Final = 18

Selected = tuple[int | None, int | None]
"""Id of the scan (None for a file that was not hashed) and of the sighting by which it was found, if any."""


def find_selected(s: Session, selector: str | bytes) -> Selected | None:
    """Return the scan or sighting that `selector` identifies, None without a match.

    Bytes are a path relative to its root. Text is tried as `file:N` (sighting id), `scan:N`, `job:N`, a bare
    number (sighting id), a display path, and a sha256 prefix of 6 digits or more. Raises `AmbiguousSelector`.
    """
    if isinstance(selector, bytes):
        return _sighting(s, Sighting.path_sha256 == sha256(selector).digest())
    kind, _, number = selector.rpartition(":")
    if number.isascii() and number.isdecimal() and len(number) <= _LONGEST_ID:
        match kind:
            case "file" | "":
                found = _sighting(s, Sighting.id == int(number))
            case "scan":
                found = _only_scan(s.scalar(select(Scan.id).where(Scan.id == int(number))))
            case "job":
                found = _only_scan(s.scalar(select(Job.scan_id).where(Job.id == int(number))))
            case _:
                found = None
        if found is not None:
            return found
    return _sighting(s, Sighting.display == selector) or _by_digest(s, selector)


def _sighting(s: Session, condition: ColumnElement[bool]) -> Selected | None:
    """Return scan and sighting id, of a live sighting before a superseded one, the latest among equals."""
    row = s.execute(
        select(Sighting.scan_id, Sighting.id)
        .where(condition)
        .order_by(Sighting.superseded_at.is_not(None), Sighting.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else (row.scan_id, row.id)


def _by_digest(s: Session, prefix: str) -> Selected | None:
    prefix = prefix.lower()
    if not _SHORTEST_PREFIX <= len(prefix) <= 64 or set(prefix) - set("0123456789abcdef"):
        return None
    scans = s.execute(
        select(Scan.id, Scan.sha256).where(Scan.sha256 >= prefix, Scan.sha256 < prefix + "g").limit(2)
    ).all()
    if len(scans) > 1:
        raise AmbiguousSelector(
            reason=f"{prefix} is a prefix of the checksums of several scans",
            remedy="give more digits of the checksum",
        )
    return _only_scan(scans[0].id) if scans else None


def _only_scan(scan_id: int | None) -> Selected | None:
    return None if scan_id is None else (scan_id, None)
