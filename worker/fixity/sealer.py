"""The periodic task that seals new events into the hash chain."""

import threading
from functools import partial
from typing import Final

from db.audit import seal_events
from db.core import Database
from worker.parts.periodic_tasks import PeriodicTask, start_periodic_task

SEAL_SECONDS: Final = 600.0
"""Pause between two runs."""

_BLOCKS: Final = 4
_BACKLOG_PAUSE: Final = 1.0


def start_sealer(database: Database, stop: threading.Event) -> threading.Thread:
    """Start a thread that seals events until `stop` is set; failures are logged and retried."""
    task = PeriodicTask(
        name="sealer",
        run=partial(seal_events, database, blocks=_BLOCKS),
        pause=_pause,
        first_pause=_BACKLOG_PAUSE,
        delayed="events are not sealed yet",
        failed="events could not be sealed",
    )
    return start_periodic_task(task, stop)


def _pause(sealed: int | None, _: float) -> float:
    return _BACKLOG_PAUSE if sealed == _BLOCKS else SEAL_SECONDS
