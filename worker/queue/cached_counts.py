"""How the counts of a large record are kept fresh, beside the work and for a small part of the time only."""

import threading
from functools import partial
from typing import Any, Final

from db.core import Database
from db.reports import cache_counts
from worker.parts.periodic_tasks import PeriodicTask, start_periodic_task

REST: Final = 20
"""The pause after a count is so many times as long as it took: it costs the database a twentieth at most."""

SHORTEST_PAUSE: Final = 10.0
_FIRST_PAUSE: Final = 1.0


def start_cached_counts(database: Database, stop: threading.Event) -> threading.Thread:
    """Start a thread that counts now and then until `stop` is set; what fails is logged and tried again."""
    chore = PeriodicTask(
        name="census",
        do=partial(cache_counts, database),
        pause=_pause,
        first_pause=_FIRST_PAUSE,
        delayed="the census is not renewed yet",
        failed="the census could not be taken",
    )
    return start_periodic_task(chore, stop)


def _pause(_: Any, seconds: float) -> float:
    return max(SHORTEST_PAUSE, REST * seconds)
