"""Delays by transient causes, and recovery of the queue."""

import datetime as dt

from db.core.schema import Event
from db.queue import jobs
from db.queue.publishing import (
    mark_published,
    unpublished,
)
from db.queue.waits import delay_job, end_waits, inspect_queue, recover_queue
from db.vocabulary import JobState, Lane

FULL = "no-space"


def to_send(archive):
    with archive.database.read() as s:
        return [
            job_id
            for lane in Lane
            for job_id in unpublished(s, lane, 99, dt.timedelta(hours=1), now=archive.now)
        ]


def test_a_delayed_job_stays_queued_without_attempt_or_event(archive):
    job_id = archive.drop().job_id
    before = archive.count(Event)
    with archive.database.begin() as s:
        delay_job(s, job_id, archive.problem(FULL), dt.timedelta(seconds=30), now=archive.now)
    assert archive.claim(job_id) is None
    job = archive.job(job_id)
    assert (job.state, job.attempts, job.wait_reason) == (JobState.QUEUED, 0, "because of no-space")
    assert archive.count(Event) == before


def test_jobs_delayed_by_one_cause_wait_since_the_first_of_them(archive):
    first, second = archive.drop("a.tif", "a").job_id, archive.drop("b.tif", "b").job_id
    began = archive.now
    for job_id in (first, second):
        with archive.database.begin() as s:
            delay_job(s, job_id, archive.problem(FULL), archive.wait(minutes=1) - began, now=began)
        began_later = archive.job(job_id).waiting_since
        assert began_later == began


def test_a_running_job_is_not_delayed(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        delay_job(s, lease.job_id, archive.problem(FULL), dt.timedelta(0), now=archive.now)
    assert archive.job(lease.job_id).wait_reason is None


def test_jobs_continue_when_their_cause_is_gone(archive):
    full, away = archive.drop("a.tif", "a").job_id, archive.drop("b.tif", "b").job_id
    pause = dt.timedelta(minutes=5)
    with archive.database.begin() as s:
        delay_job(s, full, archive.problem(FULL), pause, now=archive.now)
        delay_job(s, away, archive.problem("output-unavailable"), pause, now=archive.now)
        assert end_waits(s, FULL) == 1
    assert to_send(archive) == [full]
    with archive.database.begin() as s:
        assert end_waits(s) == 1
    assert to_send(archive) == [full, away]


def test_the_delay_after_an_attempt_cannot_be_ended(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.fail_attempt(s, lease, archive.problem("crash"), now=archive.now)
        assert end_waits(s) == 0


def test_queue_recovery_sends_all_jobs_and_reaps_lost_ones(archive):
    lost = archive.work_on("a.tif", "a").job_id
    sent, resting = archive.drop("b.tif", "b").job_id, archive.work_on("c.tif", "c")
    archive.wait(minutes=30)
    with archive.database.begin() as s:
        jobs.retry_later(s, resting, archive.problem(FULL), now=archive.now)
        mark_published(s, [sent], now=archive.now)
    with archive.database.read() as s:
        foreseen = inspect_queue(s, now=archive.now)
    assert to_send(archive) == []
    with archive.database.begin() as s:
        assert recover_queue(s, now=archive.now) == foreseen
    assert (foreseen.queued, foreseen.sent, foreseen.waiting, foreseen.taken_back) == (2, 1, 1, 1)
    assert sorted(to_send(archive)) == sorted([lost, sent, resting.job_id])
    with archive.database.begin() as s:
        again = recover_queue(s, now=archive.now)
    assert (again.sent, again.waiting, again.taken_back) == (0, 0, 0)
