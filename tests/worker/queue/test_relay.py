import datetime as dt
import json
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
from worker.queue.broker import broker_client, ping, serve_broker
from worker.queue.lease_monitor import LeaseMonitor
from worker.queue.messages import read_job_id
from worker.queue.relay import reconcile, run_dispatch
from worker.settings import Settings

QueueJob = Callable[..., int]


class Part:
    """A part of the station, in a thread."""

    def __init__(self, run: Callable[[Settings, threading.Event], None], settings: Settings) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=run, args=(settings, self._stop))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def relay(settings: Settings, database: Database) -> Iterator[Settings]:
    changes = {"dispatch_seconds": 0.05, "dispatch_depth": 4, "republish_seconds": 0.3}
    settings = settings.model_copy(update=changes)
    part = Part(run_dispatch, settings)
    yield settings
    part.stop()


@pytest.fixture
def broker(settings: Settings) -> Iterator[Part]:
    part = Part(serve_broker, settings)
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


def test_a_full_lane_does_not_hold_up_the_other(broker: Part, relay: Settings, queue_job: QueueJob) -> None:
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
    first = Part(serve_broker, settings)
    await_depth(relay, 1, 0)
    first.stop()
    for file in settings.broker_data_path.rglob("*.aof"):
        file.unlink()
    for file in settings.broker_data_path.rglob("*.manifest"):
        file.unlink()
    second = Part(serve_broker, settings)
    await_depth(relay, 1, 0)
    second.stop()


def test_a_taken_message_without_a_claim_is_sent_again(
    broker: Part, relay: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")
    await_depth(relay, 1, 0)
    client = broker_client(relay)
    taken = client.rpop("interactive")
    assert json.loads(taken)["headers"]["id"].startswith(f"{job}.")
    await_depth(relay, 1, 0)
    time.sleep(1)
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
    deadline = time.monotonic() + (30 if begins else 1.5)
    while time.monotonic() < deadline and most <= 4:
        taken = client.rpop("interactive", 1000) or []
        most = max(most, len(taken))
        for message in taken if begins else ():
            with database.begin() as s:
                claim(s, read_job_id(message), "tester", dt.timedelta(minutes=5))
        time.sleep(0.2)
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


def test_drafts_of_a_dead_worker_are_removed_after_the_last_try(
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
    assert [(line["event"], line["file"]) for line in lines] == [("a worker stopped answering", "box/a.tif")]
