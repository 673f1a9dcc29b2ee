"""Periodic tasks: threads that run a function again and again beside the main work of a part."""

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
    """A function to run repeatedly until the part stops; failures are logged, and the next run retries."""

    name: str
    run: Callable[[], Any]
    pause: Callable[[Any, float], float]
    """Seconds until the next run, by the result (None if it failed) and the duration of the last one."""
    first_pause: float
    delayed: str
    """Log event when the database was not available."""
    failed: str
    """Log event for any other failure."""


def start_periodic_task(task: PeriodicTask, stop: threading.Event) -> threading.Thread:
    """Start a thread that runs the task until `stop` is set."""
    thread = threading.Thread(target=_run_until, args=(task, stop), name=task.name, daemon=True)
    thread.start()
    return thread


def _run_until(task: PeriodicTask, stop: threading.Event) -> None:
    pause = task.first_pause
    while not stop.wait(pause):
        began, result = time.monotonic(), None
        try:
            result = task.run()
        except DatabaseError as error:
            _log.warning(task.delayed, reason=error.reason, remedy=error.remedy)
        except Exception as error:  # noqa: BLE001  (the part keeps running, and the next run may succeed)
            _log.error(task.failed, exc_info=error)
        pause = task.pause(result, time.monotonic() - began)
