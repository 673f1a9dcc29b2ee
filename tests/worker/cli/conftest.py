import datetime as dt
import hashlib
import json
import logging
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner, Result

from db.catalog.recipes import ensure_recipe
from db.core.engine import Database
from db.queue import jobs
from db.queue.enqueue import enqueue
from db.queue.intake import Registered, quarantine_sighting, register
from db.queue.leases import Lease
from db.values import NewDerivative, NewScan, NewSighting, Problem
from db.vocabulary import Lane
from worker.cli.entry import app
from worker.settings import Settings

LEASE = dt.timedelta(minutes=5)
EMPTY = Problem("empty-file", "it holds no bytes", "copy it again from its source")
CRASH = Problem("worker-died", "the worker died", "look into its log")
FULL = Problem("no-space", "only 3 MB are free in the outbox", "free some space")

Saek = Callable[..., Result]


@pytest.fixture
def saek(settings: Settings) -> Iterator[Saek]:
    """Run one command line in this process, in the home of the station, and return its result."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def saek(*words: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(app, words, stdin, prog_name="saek", env={"COLUMNS": "200"})

    yield saek
    root.handlers[:], level = before
    root.setLevel(level)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    structlog.reset_defaults()


@pytest.fixture
def saek_json(saek: Saek) -> Callable[..., Any]:
    """Run one command line with --json in this process and return the document."""

    def saek_json(*words: str) -> Any:
        result = saek(*words, "--json")
        assert result.stdout, result.stderr
        return json.loads(result.stdout)

    return saek_json


class Record:
    """A record filled by the functions that a station calls."""

    def __init__(self, database: Database, derivative_record: Callable[..., NewDerivative]) -> None:
        self.database = database
        self.derivative_record = derivative_record
        self.recipe = {"model": "old", "preset": "fast", "strength": 1.0, "format": "tiff", "algorithm": 1}
        with database.begin() as s:
            self.recipe_id = ensure_recipe(
                s, "f" * 64, self.recipe, model_name="old", weights_sha256="0" * 64, card={"name": "old"}
            )

    def file(self, name: str, *, lane: Lane = Lane.INTERACTIVE, side: int = 1000) -> Registered:
        """Record a file with unique content; its job is queued."""
        seen = NewSighting("inbox", name.encode(), name, name.rpartition("/")[0], 10, 1, 1)
        content = NewScan(sha256_of(name), 10, "tiff", side, side, 1, 8, 1, facts={"mode": "gray"})
        with self.database.begin() as s:
            return register(s, seen, content, self.recipe_id, lane)

    def running(self, name: str) -> Registered:
        file = self.file(name)
        self._begin(file)
        return file

    def done(self, name: str, *, seconds: float = 2.0, side: int = 1000) -> Registered:
        file = self.file(name, side=side)
        lease = self._begin(file)
        made = self.derivative_record(
            f"{name}.color.tif",
            width=side,
            height=side,
            bytes=3_000_000,
            sha256="a" * 64,
            seconds=seconds,
            facts={
                "seamlessness": {"seam_ratio": 1.0123, "consistency": 0.0567},
                "metadata": {
                    "carried": ["dc:creator", "resolution"],
                    "replaced": ["orientation 6: applied to the pixels"],
                    "dropped": ["XMP (damaged)"],
                },
            },
        )
        with self.database.begin() as s:
            jobs.finish(s, lease, made)
        return file

    def failed(self, name: str) -> Registered:
        file = self.file(name)
        lease = self._begin(file)
        with self.database.begin() as s:
            jobs.fail(
                s, lease, Problem("worker-died", "the worker died", "look into its log"), quarantine=False
            )
        return file

    def again(self, name: str, *, strength: float = 0.5) -> int:
        """Record a finished file and queue it for another recipe; return that job."""
        file = self.done(name)
        recipe = self.recipe | {"strength": strength}
        with self.database.begin() as s:
            recipe_id = ensure_recipe(
                s,
                f"{int(strength * 100):064x}",
                recipe,
                model_name="old",
                weights_sha256="0" * 64,
                card={"name": "old"},
            )
            return enqueue(s, file.scan_id, recipe_id, Lane.BULK, "kim")[0]

    def failed_again(self, name: str, problem: Problem = CRASH) -> int:
        """Record a finished file whose reprocessing failed; return the failed job."""
        job_id = self.again(name)
        with self.database.begin() as s:
            lease = jobs.claim(s, job_id, "here:1", LEASE)
        assert lease is not None
        with self.database.begin() as s:
            jobs.fail(s, lease, problem, quarantine=True)
        return job_id

    def waiting(self, name: str) -> Registered:
        file = self.file(name)
        lease = self._begin(file)
        with self.database.begin() as s:
            jobs.retry_later(s, lease, FULL)
        return file

    def refused(self, name: str) -> int:
        with self.database.begin() as s:
            return quarantine_sighting(s, NewSighting("inbox", name.encode(), name, "", 0, 1, 1), EMPTY)[0]

    def _begin(self, file: Registered) -> Lease:
        assert file.job_id is not None
        with self.database.begin() as s:
            lease = jobs.claim(s, file.job_id, "here:1", LEASE)
        assert lease is not None
        with self.database.begin() as s:
            jobs.heartbeat(s, lease, "color", 3, 12, extend=LEASE)
        return lease


def sha256_of(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@pytest.fixture
def record(database: Database, derivative_record: Callable[..., NewDerivative]) -> Record:
    """The record of the station with one recipe, and functions that fill it."""
    return Record(database, derivative_record)
