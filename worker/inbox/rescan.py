"""What the inbox holds that the record does not know: the authority behind the observer's hints."""

import os
from collections.abc import Iterator
from pathlib import Path

from db.engine import Database
from db.intake import known_sightings, mark_gone
from worker.inbox.walk import Entry, walk
from worker.intake import INBOX


def unknown_entries(database: Database, root: Path) -> Iterator[Entry]:
    """Yield every entry that is new or changed since it was recorded, then mark as gone what is not there.

    Raises OSError when a folder cannot be read: nothing is marked as gone then.
    """
    with database.read() as s:
        known = {file.path: file for file in known_sightings(s, INBOX)}
    for entry in walk(os.fsencode(root)):
        before = known.pop(entry.path, None)
        if before is None or before.gone or (before.size, before.mtime_ns) != (entry.size, entry.mtime_ns):
            yield entry
    missing = [path for path, file in known.items() if not file.gone]
    if missing:
        with database.begin() as s:
            mark_gone(s, INBOX, missing)


def everything_known(database: Database, root: Path) -> bool:
    """Whether each file in the inbox is recorded as it is now."""
    with database.read() as s:
        known = {file.path: file for file in known_sightings(s, INBOX)}
    return all(
        (file := known.get(entry.path)) is not None
        and not file.gone
        and (file.size, file.mtime_ns) == (entry.size, entry.mtime_ns)
        for entry in walk(os.fsencode(root))
    )
