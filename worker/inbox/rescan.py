"""The rescan: compares the whole inbox with the record, and so finds what file events missed."""

import datetime as dt
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from db.catalog import count_sightings, known_sightings, mark_gone, possibly_gone, sighting_paths
from db.core import Database, current_time
from db.values import KnownSighting
from db.vocabulary import INBOX
from restoration import UnreadableFile
from worker.inbox.bitmap import Bitmap
from worker.inbox.walk import Entry, WalkSummary, walk
from worker.settings import Settings
from worker.storage.mounts import require_inbox

_PAGE = 1_000
_SWEEP_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class RescanPage:
    """Findings of the rescan among the next files."""

    files: int = 0
    """Number of files compared."""
    new: tuple[Entry, ...] = ()
    """Not on record, or recorded as gone."""
    changed: tuple[Entry, ...] = ()
    """With another size or time than on record."""
    unreadable: tuple[Entry, ...] = ()
    """As on record, where they were not readable: new rights change neither size nor time."""
    gone: int = 0
    """Number of files on record that were marked as gone."""

    @property
    def unknown(self) -> tuple[Entry, ...]:
        """The files to register."""
        return self.new + self.changed + self.unreadable


class RunningRescan:
    """A rescan in progress, with its counts and the seconds that it took so far."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.summary = WalkSummary()
        self.seconds = 0.0
        self.noticed = 0
        """Files found that were not waited for yet; counted by the caller."""
        self.files = self.new = self.changed = self.gone = 0
        self._pages = rescan(database, settings, self.summary)

    def step(self) -> RescanPage | None:
        """Compare the next page of files; return None at the end. Raises as `rescan`."""
        began = time.perf_counter()
        try:
            page = next(self._pages, None)
        finally:
            self.seconds += time.perf_counter() - began
        if page is not None:
            self.files += page.files
            self.new += len(page.new)
            self.changed += len(page.changed)
            self.gone += page.gone
        return page


@dataclass(frozen=True, slots=True)
class _ComparedPage:
    page: RescanPage
    known: tuple[int, ...]
    """Ids of the sightings of the files that are on record."""
    unrecorded: tuple[bytes, ...]
    """The sha256 of the paths that are not."""


def rescan(
    database: Database, settings: Settings, summary: WalkSummary | None = None
) -> Iterator[RescanPage]:
    """Compare the inbox with the record page by page, then mark recorded files as gone that were not found.

    No file is opened and no lock on the record is held. Memory holds one page of files, and one bit for each
    row that the record ever had: 125 kB for a million. Files may be registered between the pages, by this
    process or another. Files in folders that cannot be read stay on record; `summary` notes the folders.

    Raises OSError if the inbox itself cannot be read, and MasterUnavailable if it is not the folder that it
    was; then nothing is marked as gone.
    """
    summary = WalkSummary() if summary is None else summary
    require_inbox(settings, known_in_inbox(database))
    with database.read() as s:
        began = current_time(s)
    known, unrecorded = Bitmap(), Bitmap()
    for compared in _compare(database, walk(os.fsencode(settings.inbox_path), summary=summary)):
        for sighting_id in compared.known:
            known.add(sighting_id)
        for digest in compared.unrecorded:
            unrecorded.add(_short(digest))
        yield compared.page
    yield from _sweep(database, settings, began, known, unrecorded, summary=summary)


def everything_known(database: Database, root: Path, summary: WalkSummary | None = None) -> bool:
    """Return whether each file in the inbox is on record as it is; `summary` notes the unreadable folders."""
    pages = _compare(database, walk(os.fsencode(root), summary=summary or WalkSummary()))
    return not any(compared.page.new or compared.page.changed for compared in pages)


def known_in_inbox(database: Database) -> Callable[[int], int]:
    """Return a function that counts the files on record in the inbox, up to the limit that it is given."""

    def known(limit: int) -> int:
        with database.read() as s:
            return count_sightings(s, INBOX, limit)

    return known


def _sweep(
    database: Database,
    settings: Settings,
    began: dt.datetime,
    known: Bitmap,
    unrecorded: Bitmap,
    *,
    summary: WalkSummary,
) -> Iterator[RescanPage]:
    """Mark the files as gone that were on record when the walk began and that it did not find.

    A path that the walk found and that was not on record counts as found: another ingester may have been
    registering it. Files in folders that could not be read are left as they are.
    """
    after = 0
    while True:
        with database.read() as s:
            left = possibly_gone(s, INBOX, began, after, _SWEEP_PAGE)
        missing = [place for place, digest in left if place not in known and _short(digest) not in unrecorded]
        if missing and summary.refused:
            with database.read() as s:
                missing = [place for place, path in sighting_paths(s, missing) if not summary.hides(path)]
        gone = 0
        if missing:
            require_inbox(settings, known_in_inbox(database))  # it may have been unmounted during the walk
            gone = database.run(partial(mark_gone, sighting_ids=missing, before=began))
        yield RescanPage(gone=gone)
        if len(left) < _SWEEP_PAGE:
            return
        after, _ = left[-1]


def _compare(database: Database, entries: Iterable[Entry]) -> Iterator[_ComparedPage]:
    for page in _pages(entries):
        digests = [sha256(entry.path).digest() for entry in page]
        with database.read() as s:
            places = {place.path_sha256: place for place in known_sightings(s, INBOX, digests)}
        yield _compare_page(page, digests, places)


def _pages(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield pages of entries, including those that came before an error, before it is raised."""
    page: list[Entry] = []
    failure = None
    try:
        for entry in entries:
            page.append(entry)
            if len(page) == _PAGE:
                yield page
                page = []
    except OSError as error:
        failure = error
    if page:
        yield page
    if failure is not None:
        raise failure


def _compare_page(
    page: list[Entry], digests: list[bytes], places: dict[bytes, KnownSighting]
) -> _ComparedPage:
    new, changed, unreadable, unrecorded = [], [], [], []
    for entry, digest in zip(page, digests, strict=True):
        place = places.get(digest)
        if place is None:
            unrecorded.append(digest)
        if place is None or place.gone:
            new.append(entry)
        elif (place.size, place.mtime_ns) != (entry.size, entry.mtime_ns):
            changed.append(entry)
        elif place.problem_code == UnreadableFile.code:
            unreadable.append(entry)
    found = RescanPage(len(page), tuple(new), tuple(changed), tuple(unreadable))
    return _ComparedPage(found, tuple(place.id for place in places.values()), tuple(unrecorded))


def _short(digest: bytes) -> int:
    """Return 24 bits of a digest, for a bitmap of 2 MB; a collision defers a file to the next rescan."""
    return int.from_bytes(digest[:3])
