import datetime as dt
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from db.audit.chain_verification import verify_chain
from db.core.engine import Database
from db.core.schema import Job
from db.queue.commands import pause, resume
from db.queue.jobs import claim
from db.reports import cached_counts
from db.reports.status import overview
from db.vocabulary import Basis, Lane
from worker.errors import BrokerUnavailable
from worker.queue import cached_counts as worker_counts
from worker.queue.broker import broker_client, ping
from worker.queue.lease_monitor import LeaseMonitor
from worker.queue.messages import read_job_id
from worker.queue.relay import reconcile
from worker.settings import Settings

QueueJob = Callable[..., int]

SERVE = (
    "import sys, threading, signal\n"
    "stop = threading.Event()\n"
    "signal.signal(signal.SIGTERM, lambda *_: stop.set())\n"
    "from worker.settings import load_settings\n"
    "from worker.queue.{module} import {function}\n"
    "{function}(load_settings(), stop)\n"
)


class Part:
    """A part of the station as a process of its own."""

    def __init__(self, module: str, function: str) -> None:
        code = SERVE.format(module=module, function=function)
        self.process = subprocess.Popen([sys.executable, "-c", code])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def relay(settings: Settings, monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[Settings]:
    monkeypatch.setenv("SAEK_DISPATCH_SECONDS", "0.05")
    monkeypatch.setenv("SAEK_DISPATCH_DEPTH", "4")
    monkeypatch.setenv("SAEK_REPUBLISH_SECONDS", "1")
    part = Part("relay", "run_dispatch")
    yield settings
    part.stop()


@pytest.fixture
def broker(settings: Settings) -> Iterator[Part]:
    part = Part("broker", "serve_broker")
    yield part
    part.stop()


def await_depth(settings: Settings, interactive: int, bulk: int) -> None:
    deadline = time.monotonic() + 30
    found: object = None
    while time.monotonic() < deadline:
        try:
            found = ping(settings).depth
        except BrokerUnavailable as error:
            found = error
        if found == {"interactive": interactive, "bulk": bulk}:
            return
        time.sleep(0.1)
    pytest.fail(f"the lanes hold {found}")


def test_what_waits_in_the_record_is_published_into_its_lane(
    broker: Part, relay: Settings, queue_job: QueueJob
) -> None:
    queue_job("a.tif")
    queue_job("b.tif", Lane.BULK)
    queue_job("c.tif", Lane.BULK)
    await_depth(relay, 1, 2)


def test_the_broker_never_holds_more_than_the_set_depth_and_a_full_lane_does_not_hold_up_the_other(
    broker: Part, relay: Settings, queue_job: QueueJob
) -> None:
    for number in range(9):
        queue_job(f"bulk-{number}.tif", Lane.BULK)
    await_depth(relay, 0, 4)
    queue_job("dropped.tif")
    await_depth(relay, 1, 4)


def test_nothing_of_a_paused_lane_is_published(
    broker: Part, relay: Settings, queue_job: QueueJob, database: Database
) -> None:
    with database.begin() as s:
        pause(s, Lane.BULK, "tester")
    queue_job("bulk.tif", Lane.BULK)
    queue_job("dropped.tif")
    await_depth(relay, 1, 0)
    with database.begin() as s:
        resume(s, Lane.BULK, "tester")
    await_depth(relay, 1, 1)


def test_a_broker_that_lost_its_data_is_told_again(
    settings: Settings, relay: Settings, queue_job: QueueJob
) -> None:
    queue_job("a.tif")
    first = Part("broker", "serve_broker")
    await_depth(relay, 1, 0)
    first.stop()
    for file in settings.broker_data_path.rglob("*.aof"):
        file.unlink()
    for file in settings.broker_data_path.rglob("*.manifest"):
        file.unlink()
    second = Part("broker", "serve_broker")
    await_depth(relay, 1, 0)
    second.stop()


def test_a_message_that_was_taken_but_whose_job_nobody_claimed_is_sent_again(
    broker: Part, relay: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")
    await_depth(relay, 1, 0)
    client = broker_client(relay)
    taken = client.rpop("interactive")
    assert json.loads(taken)["headers"]["id"].startswith(f"{job}.")
    await_depth(relay, 1, 0)
    time.sleep(3)
    assert ping(relay).depth["interactive"] == 1, "what waits in its lane is not sent twice"
    client.close()


def test_what_happened_comes_under_a_seal(
    request: pytest.FixtureRequest, database: Database, broker: Part, queue_job: QueueJob
) -> None:
    queue_job("a")
    request.getfixturevalue("relay")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and verify_chain(database).seals == 0:
        time.sleep(0.1)
    proof = verify_chain(database)
    assert (proof.seals, proof.unsealed, proof.unbroken) == (1, 0, True)


@pytest.mark.parametrize(("begins", "fits"), [(True, lambda most: most > 4), (False, lambda most: most == 4)])
def test_a_lane_is_filled_deeper_while_what_is_taken_is_begun(
    database: Database,
    broker: Part,
    relay: Settings,
    queue_job: QueueJob,
    begins: bool,
    fits: Callable[[int], bool],
) -> None:
    for number in range(60):
        queue_job(f"{number}.tif")
    await_depth(relay, 4, 0)
    client, most = broker_client(relay), 0
    for _ in range(8):
        taken = client.rpop("interactive", 1000) or []
        most = max(most, len(taken))
        for message in taken if begins else ():
            with database.begin() as s:
                claim(s, read_job_id(message), "tester", dt.timedelta(minutes=5))
        time.sleep(0.4)
    client.close()
    assert fits(most)


def test_a_record_with_many_files_is_counted_now_and_then(
    monkeypatch: pytest.MonkeyPatch, database: Database, queue_job: QueueJob
) -> None:
    monkeypatch.setattr(cached_counts, "MANY_FILES", 2)
    monkeypatch.setattr(worker_counts, "MIN_PAUSE", 0.05)
    stop = threading.Event()
    thread = worker_counts.start_cached_counts(database, stop)
    try:
        for names in (("a.tif", "b.tif"), ("c.tif",)):
            for name in names:
                queue_job(name)
            deadline, counted = time.monotonic() + 30, None
            while time.monotonic() < deadline:
                with database.read() as s:
                    seen, exact = overview(s), overview(s, exact=True)
                counted = seen.files if seen.basis is Basis.CACHED else None
                if counted == exact.files:
                    break
                time.sleep(0.05)
            assert counted == exact.files
    finally:
        stop.set()
        thread.join()


def test_what_a_dead_worker_left_is_removed_when_its_job_has_no_further_try(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("box/a.tif")
    with database.begin() as s:
        s.execute(update(Job).values(max_attempts=1))
        claim(s, job, "dead:1", dt.timedelta(0))
    folder = settings.outbox_path / "box"
    folder.mkdir()
    names = [f".saek-job{job}-1.tif", f"..saek-job{job}-1.tif.0a1b2c3d.part", f".saek-job{job}0-1.tif"]
    for name in names:
        (folder / name).touch()
    with capture_logs() as lines:
        reconcile(database, settings, LeaseMonitor())
    assert [path.name for path in folder.iterdir()] == names[2:]
    assert [(line["event"], line["file"]) for line in lines] == [("a worker fell silent", "box/a.tif")]
