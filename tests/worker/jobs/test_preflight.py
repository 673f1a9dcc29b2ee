"""Workers wait for what their host lacks, at no cost for the jobs."""

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from db.core import Database
from db.queue import jobs
from db.reports.history import scan_history
from db.reports.status import overview
from worker.jobs import preflight
from worker.jobs.preflight import Preflight
from worker.parts.wait_reporter import waiting_parts
from worker.settings import Settings
from worker.storage.mounts import OUTBOX_MARK

QueueJob = Callable[..., int]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(preflight, "_MAX_PAUSE", 0.2)


@pytest.fixture
def job(queue_job: QueueJob, settings: Settings) -> int:
    (settings.inbox_path / "a.tif").write_bytes(b"1")
    return queue_job("a.tif")


def preflight_of(database: Database, settings: Settings, **changes: object) -> Preflight:
    settings = settings.model_copy(update={"min_free_bytes": 1, **changes})
    return Preflight(database, settings, lambda: None)


def events(database: Database, job: int) -> int:
    with database.read() as s:
        history = scan_history(s, f"job:{job}")
    assert history is not None
    return len(history.events)


def test_where_nothing_is_missing_the_job_may_be_claimed(
    database: Database, settings: Settings, job: int
) -> None:
    assert preflight_of(database, settings).passes(job)
    assert (settings.outbox_path / OUTBOX_MARK).exists()


def test_a_full_disk_is_reported_and_costs_no_attempt(
    database: Database, settings: Settings, job: int
) -> None:
    before = events(database, job)
    full = preflight_of(database, settings, min_free_bytes=2**62)
    assert not full.passes(job)
    time.sleep(0.3)
    assert not full.passes(job)
    assert events(database, job) == before
    with database.read() as s:
        history = scan_history(s, f"job:{job}")
    assert history is not None
    assert history.jobs[0].attempts == 0
    (part,) = waiting_parts(settings)
    assert (part.part, part.code) == ("worker", "no-space")


def test_the_record_tells_what_a_job_waits_for_while_it_waits(
    database: Database, settings: Settings, job: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_MAX_PAUSE", 30.0)
    settings = settings.model_copy(update={"min_free_bytes": 2**62})
    stopping = threading.Event()
    full = Preflight(database, settings, lambda: 0.1 if stopping.is_set() else None)
    waiting = threading.Thread(target=full.passes, args=(job,))
    waiting.start()
    deadline = time.monotonic() + 20
    while True:
        with database.read() as s:
            found = overview(s).waiting
        if any(one.code for one in found) or time.monotonic() > deadline:
            break
        time.sleep(0.02)
    assert waiting.is_alive()
    (wait,) = found
    assert (wait.code, wait.jobs) == ("no-space", 1)
    assert wait.since is not None
    assert "free some space" in (wait.remedy or "")
    stopping.set()
    waiting.join()


def test_work_goes_on_at_once_when_the_outbox_is_back(
    database: Database, settings: Settings, job: int, queue_job: QueueJob, mount: Callable[[Path], None]
) -> None:
    mount(settings.outbox_path)
    checks = preflight_of(database, settings)
    assert checks.passes(job)
    subprocess.run(["umount", settings.outbox_path], check=True)
    (settings.outbox_path / "stray").mkdir()
    other = queue_job("b.tif")
    assert not checks.passes(other)
    assert not checks.passes(job)
    threading.Timer(0.2, (settings.outbox_path / OUTBOX_MARK).touch).start()
    began = time.monotonic()
    while not checks.passes(job):
        assert time.monotonic() < began + 5
    for waited in (job, other):
        with database.begin() as s:
            assert jobs.claim(s, waited, "tester", preflight.dt.timedelta(seconds=30)) is not None
    assert waiting_parts(settings) == []


def test_an_inbox_that_is_away_quarantines_nothing(database: Database, settings: Settings, job: int) -> None:
    checks = preflight_of(database, settings)
    (settings.inbox_path / "a.tif").unlink()
    assert not checks.passes(job)
    (settings.inbox_path / "a.tif").write_bytes(b"1")
    assert checks.passes(job)


def test_a_shutdown_is_not_held_up(
    database: Database, settings: Settings, job: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_MAX_PAUSE", 60.0)
    settings = settings.model_copy(update={"min_free_bytes": 2**62})
    stopping = threading.Event()
    checks = Preflight(database, settings, lambda: 0.1 if stopping.is_set() else None)
    threading.Timer(0.3, stopping.set).start()
    began = time.monotonic()
    assert not checks.passes(job)
    assert time.monotonic() - began < 3
