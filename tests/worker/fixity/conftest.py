import datetime as dt
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.audit.due_checks import (
    Due,
    due_files,
)
from db.audit.fixity import FileCheck
from db.catalog.recipes import ensure_recipe
from db.core.engine import Database
from db.queue import jobs
from db.queue.intake import register
from db.queue.leases import Lease
from db.values import NewDerivative, NewScan, NewSighting, utcnow
from db.vocabulary import Holding
from worker.fixity.checks import Budget, Tally, check_files
from worker.fixity.reading import RateLimit
from worker.settings import Settings

BOTH = (Holding.MASTER, Holding.DERIVATIVE)
RECIPE = {"model": "archive-1", "preset": "fast", "strength": 0.5, "warmth": 0.25, "format": "tiff"}
_NO_LIMIT = Budget()


@dataclass(slots=True)
class Stock:
    """Masters and derivatives that lie where the record says, and a record of them."""

    database: Database
    inbox: Path
    outbox: Path
    derivative_record: Callable[..., NewDerivative]

    def add(self, name: str) -> tuple[Path, Path]:
        """Put a master into the inbox, color it for the record, and return both files."""
        master = self.inbox / f"{name}.tif"
        master.parent.mkdir(parents=True, exist_ok=True)
        master.write_bytes(f"the master {name}".encode())
        lease = jobs_lease(self.database, self._register(master))
        path = f"{name}.{sha256(master)[:8]}-{'f' * 8}.tif"
        made = self.outbox / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(f"{name} in color".encode())
        record = self.derivative_record(path, bytes=made.stat().st_size, sha256=sha256(made))
        with self.database.begin() as s:
            jobs.finish(s, lease, record)
        return master, made

    def queue(self, name: str) -> int:
        """Put a master into the inbox and queue its job; return the job."""
        master = self.inbox / f"{name}.tif"
        master.write_bytes(f"the master {name}".encode())
        return self._register(master)

    def _register(self, master: Path) -> int:
        status, name = master.stat(), os.fsencode(master.relative_to(self.inbox))
        seen = NewSighting(
            "inbox", name, name.decode(), "", status.st_size, status.st_mtime_ns, status.st_ino
        )
        scan = NewScan(sha256(master), status.st_size, "tiff", 8, 8, 1, 8, 1)
        with self.database.begin() as s:
            recipe = ensure_recipe(
                s, "f" * 64, RECIPE, model_name="archive-1", weights_sha256="0" * 64, card={}
            )
            job = register(s, seen, scan, recipe).job_id
        assert job is not None
        return job

    def check(self, budget: Budget = _NO_LIMIT, **options: object) -> tuple[Tally, list[FileCheck]]:
        """Check what is due; return what came of it, and each check in order."""
        found: list[FileCheck] = []
        folders = {"inbox": self.inbox, "outbox": self.outbox}
        asked = {"due": Due(utcnow()), "pace": RateLimit(None), "checked": found.append, **options}
        tally = check_files(self.database, folders, BOTH, budget=budget, **asked)  # type: ignore[arg-type]
        return tally, found

    def due(self) -> list[str]:
        return [held.display for held in due_files(self.database, BOTH, Due(utcnow()))]


def jobs_lease(database: Database, job_id: int) -> Lease:
    with database.begin() as s:
        lease = jobs.claim(s, job_id, "here:1", dt.timedelta(minutes=5))
    assert lease is not None
    return lease


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def stock(database: Database, settings: Settings, derivative_record: Callable[..., NewDerivative]) -> Stock:
    return Stock(database, settings.inbox_path, settings.outbox_path, derivative_record)
