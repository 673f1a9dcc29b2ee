"""How the counts of a large record are kept fresh, beside the work and for a small part of the time only."""

import threading
import time
from typing import Final

import structlog

from db.census import take_census
from db.engine import Database
from db.errors import DatabaseError

REST: Final = 20
"""The pause after a count is so many times as long as it took: it costs the database a twentieth at most."""

SHORTEST_PAUSE: Final = 10.0
_FIRST_PAUSE: Final = 1.0

_log = structlog.get_logger()


def start_census(database: Database, stop: threading.Event) -> threading.Thread:
    """Start a thread that counts now and then until `stop` is set; what fails is logged and tried again."""
    thread = threading.Thread(target=_keep_counting, args=(database, stop), name="census", daemon=True)
    thread.start()
    return thread


def _keep_counting(database: Database, stop: threading.Event) -> None:
    pause = _FIRST_PAUSE
    while not stop.wait(pause):
        began = time.monotonic()
        try:
            take_census(database)
        except DatabaseError as error:
            _log.warning("the census is not renewed yet", reason=error.reason, remedy=error.remedy)
        except Exception as error:  # noqa: BLE001  (the relay goes on; the next count may find it mended)
            _log.error("the census could not be taken", exc_info=error)
        pause = max(SHORTEST_PAUSE, REST * (time.monotonic() - began))
