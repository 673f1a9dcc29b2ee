"""What the record knows of a million paths, in 49 bytes each: which are new, changed, or no longer there.

Paths are told apart by the first 16 bytes of their sha256, in a sorted array: a million take 49 MB, where a
dictionary of their names would take six times that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice

import numpy as np

from db.values import KnownPlace
from restoration import UnreadableFile
from worker.inbox.walk import Entry

_ROW = np.dtype([("key", "S16"), ("rest", "S16"), ("size", "<i8"), ("mtime_ns", "<i8"), ("flags", "u1")])
_PAGE = 4_096
_GONE, _UNREADABLE, _SEEN = 1, 2, 4
_UNKNOWN = -1


class KnownPlaces:
    """The places of one root as they were recorded; `news` marks those that it is shown as seen."""

    def __init__(self, places: Iterable[KnownPlace]) -> None:
        source, pages = iter(places), []
        while page := list(islice(source, _PAGE)):
            pages.append(np.array([_row(place) for place in page], _ROW))
        self._rows = np.concatenate(pages) if pages else np.zeros(0, _ROW)
        del pages
        self._rows.sort(order="key")

    def news(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries that are not as recorded, or that could not be read when they were."""
        return self._unlike(entries, _GONE | _UNREADABLE)

    def changes(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries that are not as recorded."""
        return self._unlike(entries, _GONE)

    def _unlike(self, entries: Iterable[Entry], doubtful: int) -> Iterator[Entry]:
        source = iter(entries)
        while page := list(islice(source, _PAGE)):
            for entry, place in zip(page, self._found(page), strict=True):
                if place is None or not _as_recorded(entry, self._rows[place], doubtful):
                    yield entry

    def missing(self) -> list[bytes]:
        """Return the sha256 of the path of each place that was not seen and not known as gone."""
        left = self._rows[(self._rows["flags"] & (_SEEN | _GONE)) == 0]
        return [_padded(row["key"]) + _padded(row["rest"]) for row in left]

    def _found(self, page: Sequence[Entry]) -> list[int | None]:
        """Return where the entries are recorded, and mark these places as seen."""
        if not self._rows.size:
            return [None] * len(page)
        digests = [sha256(entry.path).digest() for entry in page]
        keys = np.array([digest[:16] for digest in digests], "S16")
        at = np.minimum(np.searchsorted(self._rows["key"], keys), self._rows.size - 1)
        there = self._rows["key"][at] == keys
        self._rows["flags"][at[there]] |= _SEEN
        return [int(place) if found else None for place, found in zip(at, there, strict=True)]


def _row(place: KnownPlace) -> tuple[bytes, bytes, int, int, int]:
    unreadable = _UNREADABLE * (place.problem_code == UnreadableFile.code)
    return (
        place.path_sha256[:16],
        place.path_sha256[16:],
        _UNKNOWN if place.size is None else place.size,
        _UNKNOWN if place.mtime_ns is None else place.mtime_ns,
        _GONE * place.gone | unreadable,
    )


def _as_recorded(entry: Entry, row: np.void, doubtful: int) -> bool:
    if row["flags"] & doubtful:
        return False
    return bool(row["size"] == entry.size and row["mtime_ns"] == entry.mtime_ns)


def _padded(key: bytes) -> bytes:
    """Give back the zeros at the end that numpy takes for padding."""
    return key.ljust(16, b"\0")
