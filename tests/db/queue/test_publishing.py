"""Queued jobs that are to be sent."""

import datetime as dt

import pytest
from sqlalchemy import event

from db.queue import jobs
from db.queue.commands import pause
from db.queue.publishing import mark_published, reset_published, unpublished
from db.queue.waits import delay_job
from db.values import Problem
from db.vocabulary import Lane

LONG_AGO = dt.timedelta(minutes=10)
FULL = Problem("no-space", "the disk is full", "free some space")


def test_interactive_jobs_are_sent_first_and_old_before_new(archive):
    bulk = archive.drop("0.tif", "0", lane=Lane.BULK).job_id
    archive.wait(seconds=1)
    first = archive.drop("1.tif", "1").job_id
    archive.wait(seconds=1)
    second = archive.drop("2.tif", "2").job_id
    assert archive.to_send() == [first, second, bulk]
    assert archive.to_send(limit=1) == [first, bulk]


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
    assert archive.to_send() == []
    archive.wait(minutes=10)
    assert archive.to_send() == [job_id]


def test_a_job_that_is_taken_already_is_not_marked_as_sent(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        assert mark_published(s, [lease.job_id], now=archive.now) == 0


def test_a_broker_that_lost_its_data_gets_all_jobs_again(archive):
    sent, never_sent = archive.drop("a.tif", "a").job_id, archive.drop("b.tif", "b").job_id
    with archive.database.begin() as s:
        mark_published(s, [sent], now=archive.now)
        assert reset_published(s) == 1
    assert archive.to_send() == [sent, never_sent]


def test_delayed_and_paused_jobs_are_not_sent(archive):
    resting = archive.work_on("a.tif", "a")
    with archive.database.begin() as s:
        jobs.retry_later(s, resting, archive.problem(), now=archive.now)
        pause(s, Lane.BULK, "kim", now=archive.now)
    archive.drop("b.tif", "b", lane=Lane.BULK)
    assert archive.to_send() == []
    archive.wait(seconds=10)
    assert archive.to_send() == [resting.job_id]


def test_a_delay_made_long_by_the_clock_is_over(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.retry_later(s, lease, archive.problem(), now=archive.now)
    assert archive.to_send() == []

    archive.wait(hours=-1)

    assert archive.to_send() == [lease.job_id]
    assert archive.claim(lease.job_id) is not None


def test_a_message_that_was_sent_in_the_future_is_sent_again(archive):
    job_id = archive.drop().job_id
    with archive.database.begin() as s:
        mark_published(s, [job_id], now=archive.now)
    archive.wait(minutes=-5)
    assert archive.to_send() == []

    archive.wait(hours=-1)

    assert archive.to_send() == [job_id]
