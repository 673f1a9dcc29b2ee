"""Real `saek ingest` processes: an event queue overflow, and two processes on one inbox."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from sqlalchemy import func, select

from db.core.engine import Database
from db.core.schema import Event, Job, Scan, Sighting
from db.vocabulary import EventType
from worker.settings import Settings

Eventually = Callable[..., None]

pytestmark = pytest.mark.parametrize(
    "settings", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


LOOKED = "the inbox was scanned"


class Ingester:
    """A process, and what it logged."""

    def __init__(self, settings: Settings, log: Path, **more: object) -> None:
        self._log = log
        told = {
            "SAEK_HOME": settings.home,
            "SAEK_DATABASE_URL": settings.database_address(),
            "SAEK_SETTLE_SECONDS": 0.5,
            "SAEK_LOG_FORMAT": "json",
            **more,
        }
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker", "ingest"],
                env=os.environ | {name: str(value) for name, value in told.items()},
                stderr=sink,
            )

    def told(self, event: str) -> list[dict[str, Any]]:
        assert self.process.poll() is None, self._log.read_text()
        *whole, _ = self._log.read_text().split("\n")
        return [line for line in map(json.loads, whole) if line["event"].startswith(event)]

    def troubles(self) -> list[dict[str, Any]]:
        return [line for line in self.told("") if line["level"] not in {"debug", "info"}]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


Started = Callable[..., Ingester]


@pytest.fixture
def started(settings: Settings, database: Database, tmp_path: Path) -> Iterator[Started]:
    all_of_them: list[Ingester] = []

    def start(**more: object) -> Ingester:
        all_of_them.append(Ingester(settings, tmp_path / f"log{len(all_of_them)}", **more))
        return all_of_them[-1]

    yield start
    for ingester in all_of_them:
        if ingester.process.poll() is None:
            ingester.process.kill()
            ingester.process.wait()


def drop(inbox: Path, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        folder = inbox / f"box {number % 3}" / f"folder {number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number // 2).integers(0, 256, (16, 16), np.uint8)  # each of them twice
        tifffile.imwrite(folder / f"{number}.tif", pixels)


def count(database: Database, table: Any, *where: Any) -> int:
    with database.read() as s:
        return s.scalars(select(func.count()).select_from(table).where(*where)).one()


@pytest.mark.slow
def test_the_first_rescan_logs_its_counts_and_duration(
    started: Started, settings: Settings, database: Database, eventually: Eventually
) -> None:
    def looked(ingester: Ingester) -> dict[str, Any]:
        eventually(lambda: ingester.told(LOOKED), "the look", 60)
        return ingester.told(LOOKED)[0]

    drop(settings.inbox_path, 5)
    first = started()
    assert [looked(first)[what] for what in ("files", "new", "changed", "gone")] == [5, 5, 0, 0]
    eventually(lambda: count(database, Sighting) == 5, "all files", 60)
    assert first.stop() == 0
    *_, changed, removed = sorted(settings.inbox_path.rglob("*.tif"))
    changed.write_bytes(b"other")
    removed.unlink()
    again = looked(started())
    assert [again[what] for what in ("files", "new", "changed", "gone")] == [4, 0, 1, 1]
    assert 0 <= again["seconds"] < 30


@pytest.mark.slow
def test_an_event_queue_overflow_begins_a_rescan_at_once(
    started: Started, settings: Settings, database: Database, eventually: Eventually
) -> None:
    """While it sleeps, more happens than the kernel keeps; no rescan is due for a day."""
    inbox = settings.inbox_path
    ingester = started(SAEK_RESCAN_SECONDS=86_400)
    eventually(lambda: ingester.told(LOOKED), "the start", 60)
    ingester.process.send_signal(signal.SIGSTOP)
    fill_queue(inbox)
    drop(inbox, 40)
    ingester.process.send_signal(signal.SIGCONT)
    eventually(lambda: count(database, Sighting) == 40, "all files", 60)
    assert ingester.told("events were lost")
    drop(inbox, 1, first=100)
    (inbox / "a new folder").mkdir()
    drop(inbox / "a new folder", 1)
    eventually(lambda: count(database, Sighting) == 42, "files that came later, in old and new folders", 60)
    assert ingester.stop() == 0


def fill_queue(inbox: Path) -> None:
    """Have hidden files stir in turn (one alone would be told of once) until the kernel keeps no more."""
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text("ascii"))
    for number in range(most + 1000):
        os.close(os.open(inbox / (".a", ".b")[number % 2], os.O_WRONLY | os.O_CREAT))


@pytest.mark.slow
def test_two_ingesters_on_one_inbox_do_no_harm(
    started: Started, settings: Settings, database: Database, eventually: Eventually
) -> None:
    inbox = settings.inbox_path
    drop(inbox, 30)
    both = [started(SAEK_RESCAN_SECONDS=1) for _ in range(2)]
    for ingester in both:
        eventually(lambda one=ingester: one.told("watching"), "the start", 60)
    drop(inbox, 90, first=30)
    eventually(lambda: count(database, Sighting) == 120, "all files", 90)
    for ingester in both:
        looks = len(ingester.told(LOOKED))
        drop(inbox, 1, first=200 + looks)
    eventually(lambda: count(database, Sighting) >= 121, "more files", 60)
    assert [ingester.troubles() for ingester in both] == [[], []]
    assert [ingester.stop() for ingester in both] == [0, 0]
    names, scans = count(database, Sighting), count(database, Scan)
    assert count(database, Sighting, Sighting.superseded_at.is_(None), Sighting.gone_at.is_(None)) == names
    assert count(database, Job) == scans
    assert count(database, Event, Event.type == EventType.INGESTION) == names
    assert count(database, Event, Event.type == EventType.DISAPPEARANCE) == 0
    assert count(database, Event, Event.type == EventType.MESSAGE_DIGEST_CALCULATION) == scans
