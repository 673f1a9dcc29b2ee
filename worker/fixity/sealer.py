"""How the events of a running station come under seals, now and then, beside the work."""

import threading
from typing import Final

import structlog

from db.engine import Database
from db.errors import DatabaseError
from db.seals import seal_events

SEAL_SECONDS: Final = 600.0
"""Pause between two looks at what is not sealed yet."""

_BLOCKS: Final = 4
_BACKLOG_PAUSE: Final = 1.0

_log = structlog.get_logger()


def start_sealer(database: Database, stop: threading.Event) -> threading.Thread:
    """Start a thread that seals events until `stop` is set; what fails is logged and tried again."""
    thread = threading.Thread(target=_keep_sealing, args=(database, stop), name="sealer", daemon=True)
    thread.start()
    return thread


def _keep_sealing(database: Database, stop: threading.Event) -> None:
    pause = _BACKLOG_PAUSE
    while not stop.wait(pause):
        pause = SEAL_SECONDS
        try:
            if seal_events(database, blocks=_BLOCKS) == _BLOCKS:
                pause = _BACKLOG_PAUSE
        except DatabaseError as error:
            _log.warning("events are not sealed yet", reason=error.reason, remedy=error.remedy)
        except Exception as error:  # noqa: BLE001  (the relay goes on; the next look may find it mended)
            _log.error("events could not be sealed", exc_info=error)
