"""The job context: what a worker process opens once and uses for all of its jobs."""

import os
import socket
from typing import Final

from db.core import open_database
from worker.jobs.drain import draining_seconds
from worker.jobs.preflight import Preflight
from worker.settings import Settings

_MIN_PATIENCE: Final = 3.0
"""Seconds; a database that is merely busy may take one or two to answer."""


class JobContext:
    """Settings, record and preflight checks; `owner` names this process in leases."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # A database that stays silent for longer leaves no time to keep a lease alive.
        patience = max(_MIN_PATIENCE, settings.lease_seconds / 3)
        self.database = open_database(settings.database_address(), patience=patience)
        self.preflight = Preflight(self.database, settings, self.draining_seconds)
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self.threads = settings.threads or max(1, len(os.sched_getaffinity(0)) // settings.concurrency)

    def draining_seconds(self) -> float | None:
        """Return for how many seconds the worker has been shutting down, None while it is not."""
        return draining_seconds(self.settings, os.getppid())
