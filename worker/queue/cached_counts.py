"""The periodic task that refreshes the cached counts of a large record."""

import threading
from functools import partial
from typing import Any, Final

from db.core import Database
from db.reports import cache_counts
from worker.parts.periodic_tasks import PeriodicTask, start_periodic_task

PAUSE_FACTOR: Final = 20
"""The pause after a count is this many times as long as the count, which so takes little of the database."""

MIN_PAUSE: Final = 10.0
_FIRST_PAUSE: Final = 1.0


def start_cached_counts(database: Database, stop: threading.Event) -> threading.Thread:
    """Start a thread that counts from time to time until `stop` is set; failures are logged and retried."""
    task = PeriodicTask(
        name="cached counts",
        run=partial(cache_counts, database),
        pause=_pause,
        first_pause=_FIRST_PAUSE,
        delayed="the cached counts are not refreshed yet",
        failed="the cached counts could not be refreshed",
    )
    return start_periodic_task(task, stop)


def _pause(_: Any, seconds: float) -> float:
    return max(MIN_PAUSE, PAUSE_FACTOR * seconds)
