"""What a part does now and then beside its own work, in a thread: what fails is logged and tried again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from db.errors import DatabaseError

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Something to do again and again until it is told to stop."""

    name: str
    do: Callable[[], Any]
    pause: Callable[[Any, float], float]
    """Seconds of rest, by what was done (None where it failed) and the seconds that it took."""
    first_pause: float
    delayed: str
    """What to say when the database did not let it be done."""
    failed: str


def start_periodic_task(chore: PeriodicTask, stop: threading.Event) -> threading.Thread:
    """Start a thread that does the chore until `stop` is set."""
    thread = threading.Thread(target=_keep_doing, args=(chore, stop), name=chore.name, daemon=True)
    thread.start()
    return thread


def _keep_doing(chore: PeriodicTask, stop: threading.Event) -> None:
    pause = chore.first_pause
    while not stop.wait(pause):
        began, done = time.monotonic(), None
        try:
            done = chore.do()
        except DatabaseError as error:
            _log.warning(chore.delayed, reason=error.reason, remedy=error.remedy)
        except Exception as error:  # noqa: BLE001  (the part goes on; the next time may find it mended)
            _log.error(chore.failed, exc_info=error)
        pause = chore.pause(done, time.monotonic() - began)
