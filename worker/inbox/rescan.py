"""What the inbox holds that the record does not know: the authority behind the observer's hints."""

import os
from collections.abc import Iterator
from pathlib import Path

from db.engine import Database
from db.intake import count_known, known_sightings, mark_gone
from db.values import KnownFile
from restoration import UnreadableFile
from worker.inbox.walk import Entry, walk
from worker.intake import INBOX
from worker.places import require_inbox
from worker.settings import Settings


def unknown_entries(database: Database, settings: Settings) -> Iterator[Entry]:
    """Yield every entry that is new or changed since it was recorded, then mark as gone what is not there.

    A file that could not be read is yielded each time: new rights do not show in its size and time.
    Raises OSError when a folder cannot be read, and MasterUnavailable when the inbox is not the one that it
    was: nothing is marked as gone then.
    """
    require_inbox(settings, lambda most: _count(database, most))
    known = _known(database)
    for entry in walk(os.fsencode(settings.inbox_path)):
        before = known.pop(entry.path, None)
        if not _as_recorded(entry, before) or (before and before.problem_code == UnreadableFile.code):
            yield entry
    missing = [path for path, file in known.items() if not file.gone]
    if missing:
        require_inbox(settings, lambda most: _count(database, most))  # it may have gone during the walk
        database.run(lambda s: mark_gone(s, INBOX, missing))


def everything_known(database: Database, root: Path) -> bool:
    """Whether each file in the inbox is recorded as it is now."""
    known = _known(database)
    return all(_as_recorded(entry, known.get(entry.path)) for entry in walk(os.fsencode(root)))


def _count(database: Database, most: int) -> int:
    with database.read() as s:
        return count_known(s, INBOX, most)


def _known(database: Database) -> dict[bytes, KnownFile]:
    with database.read() as s:
        return {file.path: file for file in known_sightings(s, INBOX)}


def _as_recorded(entry: Entry, known: KnownFile | None) -> bool:
    return (
        known is not None and not known.gone and (known.size, known.mtime_ns) == (entry.size, entry.mtime_ns)
    )
