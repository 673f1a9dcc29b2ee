"""What the inbox holds that the record does not know: the authority behind the observer's hints."""

import os
from collections.abc import Iterator
from pathlib import Path

from db.engine import Database
from db.intake import count_known, known_places, mark_digests_gone
from worker.inbox.known import KnownPlaces
from worker.inbox.walk import Entry, walk
from worker.intake import INBOX
from worker.places import require_inbox
from worker.settings import Settings


def unknown_entries(database: Database, settings: Settings) -> Iterator[Entry]:
    """Yield every entry that is new or changed since it was recorded, then mark as gone what is not there.

    A file that could not be read is yielded each time: new rights do not show in its size and time. No file
    is opened; a million known ones take 49 MB of memory while it lasts.
    Raises OSError when a folder cannot be read, and MasterUnavailable when the inbox is not the one that it
    was: nothing is marked as gone then.
    """
    require_inbox(settings, lambda most: _count(database, most))
    known = _known(database)
    yield from known.news(walk(os.fsencode(settings.inbox_path)))
    require_inbox(settings, lambda most: _count(database, most))  # it may have gone during the walk
    missing = known.missing()
    if missing:
        database.run(lambda s: mark_digests_gone(s, INBOX, missing))


def everything_known(database: Database, root: Path) -> bool:
    """Whether each file in the inbox is recorded as it is now."""
    return not any(_known(database).changes(walk(os.fsencode(root))))


def _count(database: Database, most: int) -> int:
    with database.read() as s:
        return count_known(s, INBOX, most)


def _known(database: Database) -> KnownPlaces:
    with database.read() as s:
        return KnownPlaces(known_places(s, INBOX))
