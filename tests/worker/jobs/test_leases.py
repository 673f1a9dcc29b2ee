import datetime as dt
import errno
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from db.catalog.recipes import ensure_recipe
from db.core import Database, open_database
from db.errors import DatabaseUnavailable, LeaseLost
from db.migrations.runner import upgrade
from db.queue import jobs
from db.queue.commands import cancel, pause
from db.queue.enqueue import enqueue
from db.queue.job_files import job_file_names
from db.queue.reaping import reap_expired
from db.reports.history import scan_history
from db.reports.status import overview
from db.values import NewDerivative, utcnow
from db.vocabulary import JobState, Lane
from restoration import MasterUnavailable, NoSpace, NotAnImage, OutOfMemory, Progress, Stage
from worker.jobs.leases import HeldJob, claimed_job
from worker.settings import Settings

QueueJob = Callable[..., int]
STEP = Progress(Stage.COLOR, 1, 4)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"lease_seconds": 2.0, "drain_seconds": 1.0})


def hold(
    database: Database,
    job: int,
    settings: Settings,
    work: Callable[[HeldJob], None],
    drained: float | None = None,
) -> bool:
    with claimed_job(database, job, "tester", settings, lambda: drained) as held:
        if held is None:
            return False
        work(held)
    return True


def state(database: Database, job: int) -> tuple[JobState, int, str | None]:
    with database.read() as s:
        told = scan_history(s, f"job:{job}")
    assert told is not None
    found = next(j for j in told.jobs if j.id == job)
    return found.state, found.attempts, found.problem.code if found.problem else None


def nothing(_: HeldJob) -> None:
    return None


def raising(error: Exception) -> Callable[[HeldJob], None]:
    def work(_: HeldJob) -> None:
        raise error

    return work


def listen_until_stopped(held: HeldJob) -> None:
    for _ in range(100):
        held.report_progress(STEP)
        time.sleep(0.05)


@pytest.fixture
def record(derivative_record: Callable[..., NewDerivative]) -> NewDerivative:
    return derivative_record("a.tif")


def test_a_second_delivery_does_nothing(
    database: Database, settings: Settings, queue_job: QueueJob, record: NewDerivative
) -> None:
    job = queue_job("a.tif")
    with claimed_job(database, job, "first", settings, lambda: None) as held:
        assert held is not None
        assert not hold(database, job, settings, nothing)
        held.finish(record, lambda _: None)
    assert not hold(database, job, settings, nothing)
    assert state(database, job) == (JobState.DONE, 1, None)


def test_the_attempt_is_on_record_before_the_work_begins(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")
    assert hold(database, job, settings, lambda _: _check(state(database, job), (JobState.RUNNING, 1, None)))


def _check(found: object, wished: object) -> None:
    assert found == wished


def test_a_faulty_master_is_quarantined_with_its_reason(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")
    hold(database, job, settings, raising(NotAnImage(reason="no known magic", remedy="drop a picture")))
    assert state(database, job) == (JobState.FAILED, 1, "not-an-image")
    with database.read() as s:
        told = scan_history(s, f"job:{job}")
    assert told is not None
    assert told.scan is not None
    assert told.scan.problem is not None
    assert told.scan.problem.remedy == "drop a picture"


def test_a_passing_cause_costs_no_attempt(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")
    hold(database, job, settings, raising(NoSpace(reason="the disk is full", remedy="free some space")))
    assert state(database, job)[:2] == (JobState.QUEUED, 0)


def test_an_unexpected_error_costs_attempts_until_they_are_spent(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")
    later = utcnow()
    for _ in range(3):
        later += dt.timedelta(hours=1)
        with database.begin() as s:
            lease = jobs.claim(s, job, "tester", dt.timedelta(seconds=30), now=later)
        assert lease is not None
        HeldJob(database, lease, settings, lambda: None).end_with(RuntimeError("surprise"))
    assert state(database, job) == (JobState.FAILED, 3, "internal-error")


def test_a_cancelled_job_stops_between_windows(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")

    def work(held: HeldJob) -> None:
        with database.begin() as s:
            cancel(s, [job], "tester")
        listen_until_stopped(held)

    hold(database, job, settings, work)
    assert state(database, job)[0] is JobState.CANCELLED


def test_a_paused_lane_gets_its_job_back_unharmed(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")

    def work(held: HeldJob) -> None:
        with database.begin() as s:
            pause(s, None, "tester")
        listen_until_stopped(held)

    hold(database, job, settings, work)
    assert state(database, job)[:2] == (JobState.QUEUED, 0)


@pytest.mark.parametrize(("drained", "wished"), [(0.5, JobState.DONE), (1.5, JobState.QUEUED)])
def test_a_draining_worker_lets_a_job_finish_for_a_while(
    database: Database,
    settings: Settings,
    queue_job: QueueJob,
    drained: float,
    wished: JobState,
    record: NewDerivative,
) -> None:
    job = queue_job("a.tif")

    def work(held: HeldJob) -> None:
        held.report_progress(STEP)
        held.finish(record, lambda _: None)

    hold(database, job, settings, work, drained)
    assert state(database, job)[0] is wished


def test_a_restoration_without_progress_keeps_the_lease(
    database: Database, settings: Settings, queue_job: QueueJob, record: NewDerivative
) -> None:
    job = queue_job("a.tif")

    def work(held: HeldJob) -> None:
        time.sleep(1.5 * settings.lease_seconds)
        with database.begin() as s:
            assert reap_expired(s) == []
        held.finish(record, lambda _: None)

    hold(database, job, settings, work)
    assert state(database, job)[0] is JobState.DONE


def test_whoever_lost_the_lease_publishes_nothing(
    database: Database, settings: Settings, queue_job: QueueJob, tmp_path: Path, record: NewDerivative
) -> None:
    job = queue_job("a.tif")
    published = tmp_path / "published"
    with database.begin() as s:
        lease = jobs.claim(s, job, "sleeper", dt.timedelta(seconds=30))
    assert lease is not None
    sleeper = HeldJob(database, lease, settings, lambda: None)
    with database.begin() as s:
        assert [r.job_id for r in reap_expired(s, now=utcnow() + dt.timedelta(minutes=1))] == [job]
    with pytest.raises(LeaseLost):
        sleeper.finish(record, lambda _: published.touch())
    assert not published.exists()
    assert state(database, job)[0] is JobState.QUEUED


def test_a_failure_after_a_lost_lease_is_not_recorded(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")
    with database.begin() as s:
        lease = jobs.claim(s, job, "sleeper", dt.timedelta(seconds=30))
    assert lease is not None
    with database.begin() as s:
        reap_expired(s, now=utcnow() + dt.timedelta(minutes=1))
    before = state(database, job)
    HeldJob(database, lease, settings, lambda: None).end_with(RuntimeError("too late"))
    assert state(database, job) == before


def test_a_database_that_was_away_for_a_moment_costs_no_attempt(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")
    hold(database, job, settings, raising(DatabaseUnavailable(reason="the server restarted", remedy="wait")))
    assert state(database, job)[:2] == (JobState.QUEUED, 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "out-of-memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "out-of-memory"),
        (OSError(errno.ENOSPC, "No space left on device"), "no-space"),
        (MasterUnavailable(reason="the share is away", remedy="mount it"), "master-unavailable"),
        (OutOfMemory(reason="the GPU is full", remedy="wait"), "out-of-memory"),
    ],
)
def test_what_passes_is_waited_for_and_told_with_its_remedy(
    database: Database, settings: Settings, queue_job: QueueJob, error: Exception, code: str
) -> None:
    job = queue_job("a.tif")
    hold(database, job, settings, raising(error))
    assert state(database, job) == (JobState.QUEUED, 0, code)
    with database.read() as s:
        (waiting,) = overview(s).waiting
    assert (waiting.code, waiting.jobs) == (code, 1)
    assert waiting.remedy
    assert waiting.since is not None


def lock(database: Database, seconds: float) -> threading.Thread:
    """Have the record refuse all writers for a while, as a database does that is being restarted."""
    locked = threading.Event()

    def hold_lock() -> None:
        with sqlite3.connect(str(database.url.database)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            locked.set()
            time.sleep(seconds)

    thread = threading.Thread(target=hold_lock)
    thread.start()
    locked.wait()
    return thread


@pytest.fixture
def impatient(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The record by a process that waits for no lock."""
    monkeypatch.setattr("db.core.engine.BUSY_TIMEOUT_S", 0)
    upgrade(settings.database_address())
    database = open_database(settings.database_address())
    yield database
    database.dispose()


def test_work_that_is_done_is_recorded_once_the_database_is_back(
    impatient: Database, database: Database, settings: Settings, queue_job: QueueJob, record: NewDerivative
) -> None:
    job, published = queue_job("a.tif"), []

    def work(held: HeldJob) -> None:
        away = lock(impatient, 1.6 * settings.lease_seconds)
        began = time.monotonic()
        while time.monotonic() < began + 1.2 * settings.lease_seconds:
            held.report_progress(STEP)  # a database that is away stops nobody
            time.sleep(0.1)
        held.finish(record, lambda _: published.append(1))
        away.join()

    hold(impatient, job, settings, work)
    assert state(database, job) == (JobState.DONE, 1, None)
    assert published == [1]


def test_a_failure_is_recorded_once_the_database_is_back(
    impatient: Database, database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    job = queue_job("a.tif")

    def work(_: HeldJob) -> None:
        lock(impatient, 2.0)
        raise NoSpace(reason="the disk is full", remedy="free some space")

    hold(impatient, job, settings, work)
    assert state(database, job) == (JobState.QUEUED, 0, "no-space")


def test_a_shutdown_does_not_wait_for_the_database(
    impatient: Database, database: Database, settings: Settings, queue_job: QueueJob, record: NewDerivative
) -> None:
    job = queue_job("a.tif")
    threads = []

    def work(held: HeldJob) -> None:
        threads.append(lock(impatient, 2.0))
        held.finish(record, lambda _: None)

    with pytest.raises(DatabaseUnavailable):
        hold(impatient, job, settings, work, drained=0.1)
    threads[0].join()
    assert state(database, job)[:2] == (JobState.RUNNING, 1)


def test_every_log_line_of_a_job_names_its_file(
    database: Database, settings: Settings, queue_job: QueueJob
) -> None:
    errors = (
        NotAnImage(reason="it is none", remedy="drop another"),
        NoSpace(reason="the disk is full", remedy="free some space"),
        ValueError("surprise"),
        MasterUnavailable(reason="the share is away", remedy="mount it"),
    )
    with capture_logs() as lines:
        for number, error in enumerate(errors):
            hold(database, queue_job(f"학교/{number}.tif"), settings, raising(error))
    assert [line["file"] for line in lines] == [f"학교/{number}.tif" for number in range(4)]
    assert all(line["job"] for line in lines)


def test_a_job_whose_file_is_gone_still_names_it(
    database: Database, queue_job: QueueJob, take_away: Callable[..., int]
) -> None:
    job = queue_job("a.tif")
    with database.begin() as s:
        take_away(s, b"a.tif")
        lease = jobs.claim(s, job, "tester", dt.timedelta(minutes=1))
        assert lease is not None
        assert (lease.display, lease.masters) == ("a.tif", ())
        assert job_file_names(s, [job, 99]) == {job: "a.tif"}


def test_a_file_with_derivatives_is_logged_as_failed(
    database: Database, settings: Settings, queue_job: QueueJob, record: NewDerivative
) -> None:
    refusal = NotAnImage(reason="it is none", remedy="drop another")
    first = queue_job("a.tif")
    hold(database, first, settings, lambda held: _finish(held, record))
    with database.begin() as s:
        other = ensure_recipe(s, "e" * 64, {}, model_name="m", weights_sha256="0" * 64, card={"name": "m"})
        again = enqueue(s, 1, other, Lane.BULK, "kim")[0]
    with capture_logs() as lines:
        hold(database, again, settings, raising(refusal))
        hold(database, queue_job("b.tif"), settings, raising(refusal))
    assert [(line["event"], line["file"]) for line in lines] == [
        ("failed", "a.tif"),
        ("quarantined", "b.tif"),
    ]


def _finish(held: HeldJob, record: NewDerivative) -> None:
    held.finish(record, lambda _: None)
