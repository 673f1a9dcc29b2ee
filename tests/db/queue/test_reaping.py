"""Jobs of dead workers are taken back."""

import datetime as dt

from db.core.schema import Scan
from db.queue import jobs
from db.queue.commands import cancel
from db.queue.enqueue import MAX_ATTEMPTS
from db.queue.reaping import last_heartbeats, reap_expired, reap_unresponsive
from db.vocabulary import JobState

LEASE = dt.timedelta(minutes=2)
"""The duration that the archive uses."""


def test_a_lease_that_ran_out_puts_its_job_back(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        assert reap_expired(s, now=archive.now) == []
        (reaped,) = reap_expired(s, now=archive.wait(minutes=2))
    assert (reaped.job_id, reaped.outcome) == (lease.job_id, JobState.QUEUED)
    assert archive.to_send() == [lease.job_id]
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


def test_a_worker_death_reports_the_earlier_failure_too(archive):
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


def test_a_job_with_a_newer_lease_is_not_taken_back(archive):
    first = archive.work_on()
    with archive.database.begin() as s:
        signs = last_heartbeats(s)
        jobs.requeue(s, first, "the worker shuts down", now=archive.now)
    assert archive.claim(first.job_id) is not None

    with archive.database.begin() as s:
        assert reap_unresponsive(s, signs, now=archive.wait(hours=1)) == []
