"""The overview of the work."""

import datetime as dt

import pytest
from sqlalchemy import select

from db.core.schema import Job
from db.queue import jobs
from db.queue.commands import cancel, pause, reprocess
from db.queue.intake import quarantine_sighting
from db.reports.status import overview, running_jobs
from db.vocabulary import FileState, JobState, Lane


def look(archive):
    with archive.database.read() as s:
        return overview(s, now=archive.now)


def finish(archive, lease, name="a.color.tif"):
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(name), now=archive.now)


def test_an_empty_archive_counts_nothing(archive):
    seen = look(archive)
    assert set(seen.files.values()) == {0}
    assert (seen.collections, seen.waiting, seen.oldest_queued_at) == ({}, (), None)
    assert (seen.eta, set(seen.also.values())) == (dt.timedelta(0), {0})


def test_each_file_counts_once_by_state_and_collection(archive, take_away):
    finish(archive, archive.work_on("album/done.tif", "done"))
    archive.work_on("album/running.tif", "running")
    archive.drop("album/queued.tif", "queued")
    failed = archive.work_on("failed.tif", "failed")
    bad = archive.work_on("bad.tif", "bad")
    dropped = archive.drop("cancelled.tif", "cancelled")
    archive.drop("registered.tif", "registered", job=False)
    archive.drop("gone.tif", "gone", job=False)
    archive.drop("copy of done.tif", "done")
    with archive.database.begin() as s:
        jobs.fail(s, failed, archive.problem(), quarantine=False, now=archive.now)
        jobs.fail(s, bad, archive.problem(), quarantine=True, now=archive.now)
        quarantine_sighting(s, archive.seen("link.tif"), archive.problem("unsafe-file"), now=archive.now)
        cancel(s, [dropped.job_id], "kim", now=archive.now)
        take_away(s, b"gone.tif", now=archive.now)
    seen = look(archive)
    assert seen.files == {
        FileState.DONE: 2,
        FileState.RUNNING: 1,
        FileState.QUEUED: 1,
        FileState.QUARANTINED: 2,
        FileState.FAILED: 1,
        FileState.CANCELLED: 1,
        FileState.REGISTERED: 1,
        FileState.GONE: 1,
    }
    assert seen.collections["album"][FileState.DONE] == 1
    assert sum(seen.collections["album"].values()) == 3


def test_a_file_that_left_before_its_job_stays_listed(archive, take_away):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.fail(s, lease, archive.problem("missing-file"), quarantine=True, now=archive.now)
        take_away(s, b"a.tif", now=archive.now)
    assert look(archive).files[FileState.QUARANTINED] == 1


def test_a_refused_file_that_was_taken_away_is_gone(archive, take_away):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.fail(s, lease, archive.problem("truncated-image"), quarantine=True, now=archive.now)
        take_away(s, b"a.tif", now=archive.now)
    assert look(archive).files[FileState.GONE] == 1


def test_a_restored_file_that_was_taken_away_is_done(archive, take_away):
    finish(archive, archive.work_on())
    with archive.database.begin() as s:
        take_away(s, b"a.tif", now=archive.now)
    assert look(archive).files[FileState.DONE] == 1


def test_jobs_are_counted_by_lane(archive):
    archive.drop("a.tif", "a")
    archive.drop("b.tif", "b", lane=Lane.BULK)
    archive.work_on("c.tif", "c")
    seen = look(archive).jobs
    assert seen[Lane.INTERACTIVE][JobState.QUEUED] == 1
    assert seen[Lane.INTERACTIVE][JobState.RUNNING] == 1
    assert seen[Lane.BULK][JobState.QUEUED] == 1


def test_the_overview_names_what_jobs_wait_for(archive):
    resting = archive.work_on("a.tif", "a")
    archive.drop("b.tif", "b", lane=Lane.BULK)
    archive.drop("c.tif", "c")
    archive.drop("d.tif", "d")
    with archive.database.begin() as s:
        jobs.retry_later(s, resting, archive.problem("no-space"), now=archive.now)
        pause(s, Lane.BULK, "kim", now=archive.now)
    assert {(waiting.reason, waiting.jobs) for waiting in look(archive).waiting} == {
        (None, 2),
        ("because of no-space", 1),
        ("the bulk lane is paused", 1),
    }
    told = {waiting.reason: waiting for waiting in look(archive).waiting}
    full = told["because of no-space"]
    assert (full.code, full.remedy, full.since) == ("no-space", "copy it again", archive.now)
    assert full.next_at == archive.now + dt.timedelta(seconds=10)
    assert told["the bulk lane is paused"].since is None


def test_the_time_left_follows_from_the_recent_throughput(archive):
    finish(archive, archive.work_on("old.tif", "old"), "old.color.tif")
    archive.wait(minutes=20)
    for n in range(3):
        lease = archive.work_on(f"{n}.tif", str(n))
        archive.wait(minutes=2)
        finish(archive, lease, f"{n}.color.tif")
    archive.drop("next.tif", "next")
    seen = look(archive)
    assert (seen.throughput.jobs, seen.throughput.megapixels) == (3, pytest.approx(9.0))
    assert seen.throughput.window == dt.timedelta(minutes=15)
    assert seen.throughput.worked == dt.timedelta(minutes=6), "before, nothing was to be done"
    assert seen.eta == dt.timedelta(minutes=2)


def work(archive, name, **length):
    """Drop a file and work on it at once, for the given time."""
    lease = archive.work_on(name, name)
    archive.wait(**length)
    finish(archive, lease, f"{name}.color.tif")


def test_idle_time_does_not_count(archive):
    for n in range(6):
        work(archive, f"morning {n}.tif", seconds=20)
    archive.wait(minutes=10)
    for n in range(4):
        work(archive, f"now {n}.tif", seconds=20)
    for n in range(9):
        archive.drop(f"next {n}.tif", f"next {n}")
    seen = look(archive)
    assert (seen.throughput.jobs, seen.throughput.worked) == (10, dt.timedelta(seconds=200))
    assert seen.eta == dt.timedelta(minutes=3)


def test_after_an_idle_hour_the_earlier_throughput_counts(archive):
    for n in range(3):
        work(archive, f"{n}.tif", seconds=20)
    archive.wait(hours=1)
    for n in range(10):
        archive.drop(f"next {n}.tif", f"next {n}")
    seen = look(archive)
    assert seen.throughput.jobs == 0
    assert seen.eta == dt.timedelta(seconds=200)


def test_time_in_which_several_worked_counts_once(archive):
    leases = [archive.work_on(f"{n}.tif", str(n), f"worker-{n}") for n in range(4)]
    archive.wait(minutes=2)
    for n, lease in enumerate(leases):
        finish(archive, lease, f"{n}.color.tif")
    for n in range(8):
        archive.drop(f"next {n}.tif", f"next {n}")
    assert look(archive).eta == dt.timedelta(minutes=4)


def test_a_job_from_before_the_window_counts_in_full(archive):
    work(archive, "plate.tif", minutes=40)
    archive.drop("next.tif", "next")
    assert look(archive).eta == dt.timedelta(minutes=40)


def test_the_handover_of_a_queued_job_counts_as_work(archive):
    waiting = [archive.drop(f"{n}.tif", str(n)).job_id for n in range(3)]
    for n, job_id in enumerate(waiting):
        archive.wait(seconds=2)
        lease = archive.claim(job_id)
        archive.wait(seconds=3)
        finish(archive, lease, f"{n}.color.tif")
    assert look(archive).throughput.worked == dt.timedelta(seconds=3 + 5 + 5)


def test_idle_time_between_jobs_is_not_counted(archive):
    waiting = [archive.drop(f"{n}.tif", str(n)).job_id for n in range(2)]
    for n, job_id in enumerate(waiting):
        archive.wait(minutes=5)
        lease = archive.claim(job_id)
        archive.wait(seconds=3)
        finish(archive, lease, f"{n}.color.tif")
    assert look(archive).throughput.worked == dt.timedelta(seconds=6)


def test_the_time_left_needs_a_derivative(archive):
    archive.drop()
    assert (look(archive).eta, look(archive).held) == (None, 0)


def test_with_only_paused_jobs_there_is_no_time_left(archive):
    work(archive, "a.tif", minutes=1)
    archive.drop("bulk.tif", "bulk", lane=Lane.BULK)
    with archive.database.begin() as s:
        pause(s, Lane.BULK, "kim", now=archive.now)
    assert (look(archive).eta, look(archive).held) == (None, 1)


def test_paused_jobs_have_no_part_in_the_time_left(archive):
    work(archive, "a.tif", minutes=1)
    for n in range(5):
        archive.drop(f"bulk {n}.tif", f"bulk {n}", lane=Lane.BULK)
    archive.drop("b.tif", "b")
    with archive.database.begin() as s:
        pause(s, Lane.BULK, "kim", now=archive.now)
    assert (look(archive).eta, look(archive).held) == (dt.timedelta(minutes=1), 5)


def made_anew(archive, name):
    """Make a done file with a running job by another recipe; return its lease."""
    done = archive.work_on(name, name)
    finish(archive, done, f"{name}.color.tif")
    recipe = archive.recipe(0.5)
    with archive.database.begin() as s:
        reprocess(s, [done.scan_id], recipe, "kim", now=archive.now)
        (job_id,) = s.scalars(select(Job.id).where(Job.scan_id == done.scan_id, Job.recipe_id == recipe))
    lease = archive.claim(job_id)
    assert lease is not None
    return lease


def test_a_done_file_counts_its_unsuccessful_jobs_too(archive):
    failed, stopped = made_anew(archive, "album/a.tif"), made_anew(archive, "b.tif")
    first = archive.work_on("c.tif", "c")
    archive.drop("album/copy of a.tif", "album/a.tif")
    with archive.database.begin() as s:
        jobs.fail(s, failed, archive.problem(), quarantine=True, now=archive.now)
        jobs.end_cancelled(s, stopped, now=archive.now)
        jobs.fail(s, first, archive.problem(), quarantine=False, now=archive.now)
    seen = look(archive)
    assert (seen.files[FileState.DONE], seen.files[FileState.FAILED]) == (3, 1)
    assert seen.also == {JobState.FAILED: 2, JobState.CANCELLED: 1}
    assert seen.collections_also["album"] == {JobState.FAILED: 2, JobState.CANCELLED: 0}


def test_quarantined_and_gone_files_report_no_further_job(archive, take_away):
    for name in ("bad.tif", "gone.tif"):
        lease = archive.work_on(name, name)
        with archive.database.begin() as s:
            jobs.fail(s, lease, archive.problem(), quarantine=True, now=archive.now)
    with archive.database.begin() as s:
        take_away(s, b"gone.tif", now=archive.now)
    seen = look(archive)
    assert (seen.files[FileState.QUARANTINED], seen.files[FileState.GONE]) == (1, 1)
    assert set(seen.also.values()) == {0}


def test_the_oldest_wait_is_reported(archive):
    since = archive.now
    archive.drop("a.tif", "a")
    archive.wait(hours=1)
    archive.drop("b.tif", "b")
    assert look(archive).oldest_queued_at == since


def test_running_jobs_are_listed_with_their_progress(archive):
    lease = archive.work_on("album/a.tif")
    with archive.database.begin() as s:
        jobs.heartbeat(s, lease, "detail", 3, 12, extend=dt.timedelta(minutes=2), now=archive.wait(seconds=9))
        (job,) = running_jobs(s)
    assert (job.display, job.owner, job.stage, job.done, job.total) == (
        "album/a.tif",
        "worker-1",
        "detail",
        3,
        12,
    )
    assert job.heartbeat_at - job.started_at == dt.timedelta(seconds=9)
