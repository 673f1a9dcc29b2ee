"""What the inbox holds that the record does not know: the authority behind the observer's hints."""

import datetime as dt
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from db.catalog import known_sightings, mark_gone, possibly_gone, sighting_paths
from db.core import Database, current_time
from db.values import KnownSighting
from db.vocabulary import INBOX
from restoration import UnreadableFile
from worker.inbox.bitmap import Bitmap
from worker.inbox.intake import known_in_inbox
from worker.inbox.walk import Entry, WalkSummary, walk
from worker.settings import Settings
from worker.storage.mounts import require_inbox

_PAGE = 1_000
_SWEPT = 5_000


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a rescan found among the next files."""

    files: int = 0
    """How many were looked at."""
    new: tuple[Entry, ...] = ()
    """Not on record, or noted there as gone."""
    changed: tuple[Entry, ...] = ()
    """Of another size or time than on record."""
    unreadable: tuple[Entry, ...] = ()
    """As on record, where they could not be read: new rights do not show in size and time."""
    gone: int = 0
    """How many files on record were noted as gone: no longer there."""

    @property
    def unknown(self) -> tuple[Entry, ...]:
        """The files to take in."""
        return self.new + self.changed + self.unreadable


@dataclass(frozen=True, slots=True)
class _Compared:
    """A page of entries beside what the record knows of them."""

    step: Step
    known: tuple[int, ...]
    """Ids of the sightings of those that are on record."""
    unheard: tuple[bytes, ...]
    """The sha256 of the paths that are not."""


def rescan(database: Database, settings: Settings, survey: WalkSummary | None = None) -> Iterator[Step]:
    """Compare the inbox with the record step by step, then note as gone what is on record and not there.

    No file is opened, no lock on the record is held, and memory holds a page of files and a bit for each row
    that the record ever had: 125 kB for a million. Files may be taken in between the steps, by this process
    or by another. What lies in folders that cannot be read stays on record as it is; `survey` notes them.

    Raises OSError when the inbox itself cannot be read, and MasterUnavailable when it is not the one that it
    was: nothing is noted as gone then.
    """
    survey = WalkSummary() if survey is None else survey
    require_inbox(settings, known_in_inbox(database))
    with database.read() as s:
        began = current_time(s)
    known, unheard = Bitmap(), Bitmap()
    for page in _compared(database, walk(os.fsencode(settings.inbox_path), survey=survey)):
        for sighting_id in page.known:
            known.add(sighting_id)
        for digest in page.unheard:
            unheard.add(_short(digest))
        yield page.step
    yield from _sweep(database, settings, began, known, unheard, survey=survey)


def everything_known(database: Database, root: Path, survey: WalkSummary | None = None) -> bool:
    """Whether each file in the inbox is recorded as it is now; `survey` notes where nobody could look."""
    pages = _compared(database, walk(os.fsencode(root), survey=survey or WalkSummary()))
    return not any(page.step.new or page.step.changed for page in pages)


def _sweep(
    database: Database,
    settings: Settings,
    began: dt.datetime,
    known: Bitmap,
    unheard: Bitmap,
    *,
    survey: WalkSummary,
) -> Iterator[Step]:
    """Note as gone what was on record when the walk began, and was not met by it.

    What the walk met as new counts as met: another ingester may have been entering it at that moment. Nothing
    is said of what lies where the walk could not look.
    """
    after = 0
    while True:
        with database.read() as s:
            left = possibly_gone(s, INBOX, began, after, _SWEPT)
        missing = [place for place, digest in left if place not in known and _short(digest) not in unheard]
        if missing and survey.refused:
            missing = _in_sight(database, missing, survey)
        gone = 0
        if missing:
            require_inbox(settings, known_in_inbox(database))  # it may have gone during the walk
            gone = database.run(partial(mark_gone, sighting_ids=missing, before=began))
        yield Step(gone=gone)
        if len(left) < _SWEPT:
            return
        after, _ = left[-1]


def _in_sight(database: Database, sighting_ids: list[int], survey: WalkSummary) -> list[int]:
    """Return those of the files that do not lie where the walk could not look."""
    with database.read() as s:
        paths = sighting_paths(s, sighting_ids)
    return [sighting_id for sighting_id, path in paths if not survey.hides(path)]


def _compared(database: Database, entries: Iterable[Entry]) -> Iterator[_Compared]:
    for page in _pages(entries):
        digests = [sha256(entry.path).digest() for entry in page]
        with database.read() as s:
            places = {place.path_sha256: place for place in known_sightings(s, INBOX, digests)}
        yield _beside(page, digests, places)


def _pages(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield the entries by the thousand, and also those that came before a failure, before it is raised."""
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


def _beside(page: list[Entry], digests: list[bytes], places: dict[bytes, KnownSighting]) -> _Compared:
    new, changed, unreadable, unheard = [], [], [], []
    for entry, digest in zip(page, digests, strict=True):
        place = places.get(digest)
        if place is None:
            unheard.append(digest)
        if place is None or place.gone:
            new.append(entry)
        elif (place.size, place.mtime_ns) != (entry.size, entry.mtime_ns):
            changed.append(entry)
        elif place.problem_code == UnreadableFile.code:
            unreadable.append(entry)
    step = Step(len(page), tuple(new), tuple(changed), tuple(unreadable))
    return _Compared(step, tuple(place.id for place in places.values()), tuple(unheard))


def _short(digest: bytes) -> int:
    """Return 24 bits of a digest, so that marks take 2 MB; a chance hit defers a file to the next rescan."""
    return int.from_bytes(digest[:3])
