"""State changes of one job."""

import datetime as dt
import multiprocessing
import threading
from dataclasses import replace

import pytest
from sqlalchemy import select

from db.catalog.links import name_owner
from db.catalog.quarantine import quarantine_scan
from db.core.schema import Derivative, Event, Scan
from db.errors import DerivativeExists, LeaseLost, UnknownJob
from db.queue import jobs
from db.queue.commands import cancel, pause, resume
from db.queue.enqueue import (
    MAX_ATTEMPTS,
    enqueue,
)
from db.queue.job_files import job_file_names
from db.queue.reaping import reap_expired
from db.vocabulary import EventType, JobState, Lane, Outcome

MINUTE = dt.timedelta(minutes=1)


def test_a_claim_takes_a_queued_job_and_counts_an_attempt(archive):
    lease = archive.work_on()
    job = archive.job(lease.job_id)
    assert (job.state, job.attempts, job.lease_owner) == (JobState.RUNNING, 1, "worker-1")
    assert (lease.attempt, lease.token, lease.expires_at) == (1, 1, archive.now + 2 * MINUTE)
    assert (lease.recipe_body, lease.lane) == ({"strength": 1.0}, Lane.INTERACTIVE)


def test_a_lease_names_every_file_with_the_bytes(archive, take_away):
    archive.drop("gone.tif", "same")
    archive.drop("replaced.tif", "same")
    archive.drop("old.tif", "same")
    archive.wait(seconds=1)
    job_id = archive.drop("new.tif", "same").job_id
    archive.drop("replaced.tif", "other")
    with archive.database.begin() as s:
        take_away(s, b"gone.tif", now=archive.now)
    assert [master.path for master in archive.claim(job_id).masters] == [b"new.tif", b"old.tif"]


def test_a_second_delivery_finds_nothing_to_claim(archive):
    lease = archive.work_on()
    assert archive.claim(lease.job_id, "worker-2") is None
    assert archive.job(lease.job_id).attempts == 1


def test_an_unknown_job_cannot_be_claimed(archive):
    assert archive.claim(12345) is None


@pytest.mark.parametrize("held", [None, Lane.INTERACTIVE])
def test_a_job_in_a_paused_lane_cannot_be_claimed(archive, held):
    job_id = archive.drop().job_id
    with archive.database.begin() as s:
        pause(s, held, "kim", now=archive.now)
    assert archive.claim(job_id) is None
    with archive.database.begin() as s:
        resume(s, held, "kim", now=archive.now)
    assert archive.claim(job_id) is not None


def test_a_pause_does_not_affect_the_other_lane(archive):
    job_id = archive.drop().job_id
    with archive.database.begin() as s:
        pause(s, Lane.BULK, "kim", now=archive.now)
    assert archive.claim(job_id) is not None


def test_a_heartbeat_extends_the_lease_and_records_progress(archive):
    lease = archive.work_on()
    archive.wait(minutes=1)
    with archive.database.begin() as s:
        control = jobs.heartbeat(s, lease, "detail", 3, 12, extend=2 * MINUTE, now=archive.now)
    job = archive.job(lease.job_id)
    assert (control.cancel_requested, control.paused) == (False, False)
    assert (job.progress_stage, job.progress_done, job.progress_total) == ("detail", 3, 12)
    assert job.lease_expires_at == archive.now + 2 * MINUTE


def test_a_heartbeat_returns_a_cancellation_and_a_pause(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        cancel(s, [lease.job_id], "kim", now=archive.now)
        pause(s, Lane.INTERACTIVE, "kim", now=archive.now)
        control = jobs.heartbeat(s, lease, "detail", 0, 1, extend=MINUTE, now=archive.now)
    assert (control.cancel_requested, control.paused) == (True, True)


def test_a_late_heartbeat_revives_a_lease_that_nobody_took(archive):
    lease = archive.work_on()
    archive.wait(minutes=5)
    with archive.database.begin() as s:
        jobs.heartbeat(s, lease, "detail", 1, 2, extend=MINUTE, now=archive.now)
        assert reap_expired(s, now=archive.now) == []


def test_a_finished_job_has_its_derivative_on_record(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        derivative_id = jobs.finish(s, lease, archive.derivative(), now=archive.wait(seconds=6))
    assert archive.state(lease.job_id) is JobState.DONE
    assert archive.count(Derivative, Derivative.id == derivative_id) == 1
    assert archive.happened(job_id=lease.job_id) == [
        "job queued",
        "job running",
        "job done",
        "creation",
        "message digest calculation",
        "validation",
    ]


def test_a_luma_error_is_a_warning_on_record(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(luma_max_error=1.0), now=archive.now)
        outcome = s.scalars(select(Event.outcome).where(Event.type == EventType.VALIDATION)).one()
    assert outcome is Outcome.WARNING


def test_finish_is_idempotent(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        first = jobs.finish(s, lease, archive.derivative(), now=archive.now)
    events = archive.happened()
    with archive.database.begin() as s:
        assert jobs.finish(s, lease, archive.derivative(), now=archive.now) == first
    assert archive.happened() == events


def test_no_derivative_replaces_another(archive):
    first = archive.work_on("a.tif", "a")
    second = archive.work_on("b.tif", "b")
    with archive.database.begin() as s:
        jobs.finish(s, first, archive.derivative("same.tif"), now=archive.now)
        assert name_owner(s, "outbox", b"same.tif") == 1
        assert name_owner(s, "outbox", b"other.tif") is None
    with (
        pytest.raises(DerivativeExists, match="another derivative"),
        archive.database.begin() as s,
    ):
        jobs.finish(s, second, archive.derivative("same.tif"), now=archive.now)
    assert archive.state(second.job_id) is JobState.RUNNING


def test_a_worker_that_lost_its_lease_can_change_nothing(archive):
    late = archive.work_on()
    with archive.database.begin() as s:
        reap_expired(s, now=archive.wait(minutes=5))
    current = archive.claim(late.job_id, "worker-2")
    for act in (
        lambda s: jobs.finish(s, late, archive.derivative(), now=archive.now),
        lambda s: jobs.heartbeat(s, late, "detail", 1, 2, extend=MINUTE, now=archive.now),
        lambda s: jobs.fail(s, late, archive.problem(), quarantine=True, now=archive.now),
        lambda s: jobs.fail_attempt(s, late, archive.problem(), now=archive.now),
        lambda s: jobs.retry_later(s, late, archive.problem(), now=archive.now),
        lambda s: jobs.requeue(s, late, "drain", now=archive.now),
        lambda s: jobs.supersede(s, late, "changed", now=archive.now),
        lambda s: jobs.end_cancelled(s, late, now=archive.now),
    ):
        with pytest.raises(LeaseLost, match="held by worker-2"), archive.database.begin() as s:
            act(s)
    with archive.database.begin() as s:
        jobs.finish(s, current, archive.derivative(), now=archive.now)
    assert archive.count(Derivative) == 1


def test_a_lease_of_an_unknown_job_is_an_error(archive):
    lease = archive.work_on()
    with pytest.raises(UnknownJob), archive.database.begin() as s:
        jobs.end_cancelled(s, replace(lease, job_id=999), now=archive.now)


def test_a_bad_master_fails_its_job_and_is_quarantined(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.fail(s, lease, archive.problem("truncated-image"), quarantine=True, now=archive.now)
    assert archive.state(lease.job_id) is JobState.FAILED
    assert archive.count(Scan, Scan.problem_code == "truncated-image") == 1
    assert archive.happened(scan_id=lease.scan_id)[-2:] == ["job failed", "quarantine"]


def test_a_restored_scan_is_not_quarantined_by_a_later_failure(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(), now=archive.now)
    recipe = archive.recipe(0.5)
    with archive.database.begin() as s:
        other, _ = enqueue(s, lease.scan_id, recipe, Lane.BULK, "kim", now=archive.now)
    second = archive.claim(other)
    with archive.database.begin() as s:
        jobs.fail(s, second, archive.problem(), quarantine=True, now=archive.now)
    assert archive.count(Scan, Scan.problem_code.is_not(None)) == 0


def test_a_derivative_takes_its_scan_out_of_quarantine(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        quarantine_scan(s, lease.scan_id, archive.problem(), now=archive.now)
        jobs.finish(s, lease, archive.derivative(), now=archive.now)
    assert archive.count(Scan, Scan.problem_code.is_not(None)) == 0


def test_failed_attempts_are_delayed_longer_until_the_last_one(archive):
    job_id = archive.drop().job_id
    delays = []
    for _ in range(MAX_ATTEMPTS - 1):
        lease = archive.claim(job_id)
        with archive.database.begin() as s:
            assert jobs.fail_attempt(s, lease, archive.problem("crash"), now=archive.now) is JobState.QUEUED
        job = archive.job(job_id)
        assert (job.wait_reason, job.published_at) == ("because of crash", None)
        delays.append(job.not_before - archive.now)
        assert archive.claim(job_id) is None
        archive.now = job.not_before
    assert delays == [dt.timedelta(seconds=10), dt.timedelta(seconds=60)]
    lease = archive.claim(job_id)
    with archive.database.begin() as s:
        assert jobs.fail_attempt(s, lease, archive.problem("crash"), now=archive.now) is JobState.FAILED
    assert archive.count(Scan, Scan.problem_code == "crash") == 1


def test_a_full_disk_costs_no_attempt(archive):
    job_id = archive.drop().job_id
    for _ in range(2 * MAX_ATTEMPTS):
        lease = archive.claim(job_id)
        assert lease.attempt == 1
        with archive.database.begin() as s:
            jobs.retry_later(s, lease, archive.problem("no-space"), now=archive.now)
        assert archive.claim(job_id) is None
        archive.wait(minutes=5)
    job = archive.job(job_id)
    assert (job.state, job.attempts, job.wait_reason) == (JobState.QUEUED, 0, "because of no-space")


def test_a_transient_cause_is_retried_less_and_less_often(archive):
    job_id, began, rests = archive.drop().job_id, archive.now, []
    for _ in range(20):
        lease = archive.claim(job_id)
        with archive.database.begin() as s:
            jobs.retry_later(s, lease, archive.problem("no-space"), now=archive.now)
        rests.append(archive.job(job_id).not_before - archive.now)
        assert archive.job(job_id).waiting_since == began
        archive.wait(seconds=rests[-1].total_seconds())
    assert rests[0] == dt.timedelta(seconds=10)
    assert rests == sorted(rests)
    assert rests[-1] == dt.timedelta(minutes=5)


def test_another_cause_starts_a_new_wait(archive):
    job_id = archive.drop().job_id
    for code in ("no-space", "no-space", "out-of-memory"):
        lease = archive.claim(job_id)
        with archive.database.begin() as s:
            jobs.retry_later(s, lease, archive.problem(code), now=archive.wait(minutes=5))
        archive.wait(minutes=5)
    assert archive.job(job_id).waiting_since == archive.now - dt.timedelta(minutes=5)


def test_a_wait_is_over_when_the_job_ends(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.retry_later(s, lease, archive.problem("no-space"), now=archive.now)
    archive.wait(minutes=1)
    lease = archive.claim(lease.job_id)
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(), now=archive.now)
    assert archive.job(lease.job_id).waiting_since is None


def test_a_drained_job_can_be_claimed_again_at_once(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        assert jobs.requeue(s, lease, "the worker shuts down", now=archive.now) is JobState.QUEUED
    again = archive.claim(lease.job_id)
    assert (again.attempt, again.token) == (1, 2)


def test_a_requeued_job_that_was_cancelled_stays_cancelled(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        cancel(s, [lease.job_id], "kim", now=archive.now)
        assert jobs.requeue(s, lease, "drain", now=archive.now) is JobState.CANCELLED
    assert archive.state(lease.job_id) is JobState.CANCELLED


def test_a_changed_master_ends_its_job_until_the_bytes_are_back(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.supersede(s, lease, "the file changed while it was read", now=archive.now)
    assert archive.job(lease.job_id).failure_code == "master-changed"
    archive.drop("a.tif", "a")
    assert archive.state(lease.job_id) is JobState.QUEUED


@pytest.mark.parametrize("makers", ["processes", "threads"])
def test_exactly_one_of_many_claims_succeeds(archive, makers):
    job_id = archive.drop().job_id
    context = multiprocessing.get_context("fork")
    start, taken = context.Barrier(8), context.Value("i", 0)

    def try_it(number):
        start.wait()
        if archive.claim(job_id, f"worker-{number}") is not None:
            with taken.get_lock():
                taken.value += 1

    kind = context.Process if makers == "processes" else threading.Thread
    claimants = [kind(target=try_it, args=(number,)) for number in range(8)]
    for claimant in claimants:
        claimant.start()
    for claimant in claimants:
        claimant.join()
    assert taken.value == 1
    assert archive.happened(job_id=job_id) == ["job queued", "job running"]


def test_a_job_is_named_after_the_file_that_is_there(archive, take_away):
    job_id = archive.drop("first.tif", "a").job_id
    archive.drop("second.tif", "a")
    with archive.database.begin() as s:
        assert job_file_names(s, [job_id, 77]) == {job_id: "first.tif"}
        take_away(s, b"first.tif", now=archive.now)
        assert job_file_names(s, [job_id]) == {job_id: "second.tif"}
        take_away(s, b"second.tif", now=archive.now)
        assert job_file_names(s, [job_id]) == {job_id: "first.tif"}
    assert archive.claim(job_id).display == "first.tif"
