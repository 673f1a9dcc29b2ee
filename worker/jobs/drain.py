"""The drain mark: a file from which child processes of a worker learn that it is shutting down."""

import os
import time
from pathlib import Path

from worker.parts.run_files import replace_run_file
from worker.settings import Settings


def set_drain_mark(settings: Settings) -> None:
    """Note that this worker is shutting down from now on."""
    settings.run_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    # All processes of a host share the monotonic clock.
    replace_run_file(_drain_mark(settings, os.getpid()), f"{time.monotonic()}")


def clear_drain_mark(settings: Settings) -> None:
    """Remove the mark of this worker, or of an earlier process of the same id."""
    _drain_mark(settings, os.getpid()).unlink(missing_ok=True)


def draining_seconds(settings: Settings, worker_pid: int) -> float | None:
    """Return for how many seconds a worker has been shutting down, None while it is not."""
    try:
        began = float(_drain_mark(settings, worker_pid).read_text())
    except FileNotFoundError:
        return None
    return time.monotonic() - began


def _drain_mark(settings: Settings, worker_pid: int) -> Path:
    return settings.run_path / f"drain-{worker_pid}"
