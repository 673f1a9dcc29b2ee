import datetime as dt

import pytest
from sqlalchemy import event

from db.core.schema import Scan
from db.errors import UnknownRecipe, UnknownScan
from db.queue import jobs
from db.queue.commands import cancel, pause
from db.queue.enqueue import (
    MAX_ATTEMPTS,
    enqueue,
)
from db.queue.publishing import (
    mark_published,
    reset_published,
    unpublished,
)
from db.queue.reaping import (
    last_heartbeats,
    reap_expired,
    reap_unresponsive,
)
from db.queue.waits import delay_job
from db.values import Problem
from db.vocabulary import JobState, Lane

LONG_AGO = dt.timedelta(minutes=10)
FULL = Problem("no-space", "the disk is full", "free some space")
LEASE = dt.timedelta(minutes=2)
"""As the archive gives it."""


def to_send(archive, limit=100):
    with archive.database.read() as s:
        return [job_id for lane in Lane for job_id in unpublished(s, lane, limit, LONG_AGO, now=archive.now)]


def test_the_same_scan_and_recipe_are_one_job(archive):
    scan_id, recipe = archive.drop(job=False).scan_id, archive.recipe()
    with archive.database.begin() as s:
        first = enqueue(s, scan_id, recipe, Lane.BULK, "kim", now=archive.now)
        again = enqueue(s, scan_id, recipe, Lane.INTERACTIVE, "lee", now=archive.now)
    assert (first.created, again.created) == (True, False)
    assert first.job_id == again.job_id
    assert archive.happened(job_id=first.job_id) == ["job queued"]


def test_another_recipe_is_another_job(archive):
    first = archive.drop()
    other = archive.recipe(0.5)
    with archive.database.begin() as s:
        assert enqueue(s, first.scan_id, other, Lane.BULK, "kim", now=archive.now).created


def test_a_job_needs_a_scan_and_a_recipe_that_are_on_record(archive):
    scan_id, recipe = archive.drop(job=False).scan_id, archive.recipe()
    with pytest.raises(UnknownScan, match="99"), archive.database.begin() as s:
        enqueue(s, 99, recipe, Lane.BULK, "kim")
    with pytest.raises(UnknownRecipe, match="99"), archive.database.begin() as s:
        enqueue(s, scan_id, 99, Lane.BULK, "kim")


def test_interactive_jobs_are_sent_first_and_old_before_new(archive):
    bulk = archive.drop("0.tif", "0", lane=Lane.BULK).job_id
    archive.wait(seconds=1)
    first = archive.drop("1.tif", "1").job_id
    archive.wait(seconds=1)
    second = archive.drop("2.tif", "2").job_id
    assert to_send(archive) == [first, second, bulk]
    assert to_send(archive, limit=1) == [first, bulk]


@pytest.mark.parametrize(
    ("ask", "index"),
    [
        (lambda s: unpublished(s, Lane.BULK, 99, LONG_AGO), "ix_job_lane_created_at_id"),
        (lambda s: delay_job(s, 1, FULL, LONG_AGO), "ix_job_failure_code_waiting_since"),
    ],
)
def test_queued_jobs_are_found_by_an_index(archive, ask, index):
    asked = []
    with archive.database.begin() as s:
        connection = s.connection()
        if archive.database.dialect == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # of a few rows it reads all
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")

        @event.listens_for(connection, "before_cursor_execute")
        def note(_connection, _cursor, statement, parameters, _context, _many):
            asked.append((statement, parameters))

        ask(s)
        event.remove(connection, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN" if archive.database.dialect == "sqlite" else "EXPLAIN"
        plans = [
            str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
            for statement, parameters in asked
            if statement.startswith("SELECT") and "FROM job" in statement
        ]
    assert len(plans) == 1
    # Both hold queued jobs only; of a few rows PostgreSQL takes the one as soon as the other.
    either = {"ix_job_lane_created_at_id", "ix_job_failure_code_waiting_since"}
    assert any(name in plans[0] for name in ({index} if archive.database.dialect == "sqlite" else either))


def test_a_sent_job_is_sent_again_only_after_long(archive):
    job_id = archive.drop().job_id
    with archive.database.begin() as s:
        assert mark_published(s, [job_id], now=archive.now) == 1
    assert to_send(archive) == []
    archive.wait(minutes=10)
    assert to_send(archive) == [job_id]


def test_a_job_that_is_taken_already_is_not_marked_as_sent(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        assert mark_published(s, [lease.job_id], now=archive.now) == 0


def test_a_broker_that_lost_its_data_gets_everything_anew(archive):
    sent, never_sent = archive.drop("a.tif", "a").job_id, archive.drop("b.tif", "b").job_id
    with archive.database.begin() as s:
        mark_published(s, [sent], now=archive.now)
        assert reset_published(s) == 1
    assert to_send(archive) == [sent, never_sent]


def test_what_cannot_run_is_not_sent(archive):
    resting = archive.work_on("a.tif", "a")
    with archive.database.begin() as s:
        jobs.retry_later(s, resting, archive.problem(), now=archive.now)
        pause(s, Lane.BULK, "kim", now=archive.now)
    archive.drop("b.tif", "b", lane=Lane.BULK)
    assert to_send(archive) == []
    archive.wait(seconds=10)
    assert to_send(archive) == [resting.job_id]


def test_a_lease_that_ran_out_puts_its_job_back(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        assert reap_expired(s, now=archive.now) == []
        (reaped,) = reap_expired(s, now=archive.wait(minutes=2))
    assert (reaped.job_id, reaped.outcome) == (lease.job_id, JobState.QUEUED)
    assert to_send(archive) == [lease.job_id]
    assert "worker process died" in archive.job(lease.job_id).failure_reason


def test_a_scan_that_kills_its_worker_every_time_is_quarantined(archive):
    job_id = archive.drop().job_id
    outcomes = []
    for _ in range(MAX_ATTEMPTS):
        archive.wait(minutes=15)
        archive.claim(job_id)
        with archive.database.begin() as s:
            outcomes += [reaped.outcome for reaped in reap_expired(s, now=archive.wait(minutes=2))]
    assert outcomes == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    assert archive.job(job_id).failure_reason == "the worker process died while working on this scan, 3 times"
    assert archive.count(Scan, Scan.problem_code == "worker-died") == 1


def test_a_scan_that_killed_two_workers_is_delayed(archive):
    job_id = archive.drop().job_id
    for _ in range(2):
        archive.claim(job_id)
        with archive.database.begin() as s:
            reap_expired(s, now=archive.wait(minutes=2))
    assert archive.job(job_id).not_before == archive.now + dt.timedelta(seconds=10)


def test_a_death_after_another_failure_tells_both(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.fail_attempt(s, lease, archive.problem("crash"), now=archive.now)
    archive.wait(minutes=1)
    archive.claim(lease.job_id)
    with archive.database.begin() as s:
        reap_expired(s, now=archive.wait(minutes=2))
    reason = archive.job(lease.job_id).failure_reason
    assert "worker process died" in reason
    assert "because of crash" in reason


def test_a_job_that_was_to_be_cancelled_is_not_queued_again(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        cancel(s, [lease.job_id], "kim", now=archive.now)
        (reaped,) = reap_expired(s, now=archive.wait(minutes=2))
    assert reaped.outcome is JobState.CANCELLED


def test_a_rest_that_a_clock_set_back_makes_long_is_over(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.retry_later(s, lease, archive.problem(), now=archive.now)
    assert to_send(archive) == []

    archive.wait(hours=-1)

    assert to_send(archive) == [lease.job_id]
    assert archive.claim(lease.job_id) is not None


def test_a_message_that_was_sent_in_the_future_is_sent_again(archive):
    job_id = archive.drop().job_id
    with archive.database.begin() as s:
        mark_published(s, [job_id], now=archive.now)
    archive.wait(minutes=-5)
    assert to_send(archive) == []

    archive.wait(hours=-1)

    assert to_send(archive) == [job_id]


def test_a_worker_with_a_newer_heartbeat_keeps_its_job(archive):
    kept, lost = archive.work_on("a.tif", "a"), archive.work_on("b.tif", "b")
    with archive.database.begin() as s:
        signs = last_heartbeats(s)
    assert {(sign.job_id, sign.lease) for sign in signs} == {(kept.job_id, LEASE), (lost.job_id, LEASE)}
    with archive.database.begin() as s:
        jobs.heartbeat(s, kept, "color", 1, 2, extend=LEASE, now=archive.wait(hours=-1))

    with archive.database.begin() as s:
        reaped = reap_unresponsive(s, signs, now=archive.now)

    assert [job.job_id for job in reaped] == [lost.job_id]
    assert archive.state(kept.job_id) is JobState.RUNNING


def test_a_job_that_changed_hands_since_is_not_taken_back(archive):
    first = archive.work_on()
    with archive.database.begin() as s:
        signs = last_heartbeats(s)
        jobs.requeue(s, first, "the worker shuts down", now=archive.now)
    assert archive.claim(first.job_id) is not None

    with archive.database.begin() as s:
        assert reap_unresponsive(s, signs, now=archive.wait(hours=1)) == []
