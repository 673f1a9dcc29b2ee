import datetime as dt

import pytest

from db import jobs
from db.intake import quarantine_sighting
from db.orders import cancel, pause
from db.status import overview, running
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
    assert (seen.collections, seen.waiting, seen.eta, seen.oldest_queued_at) == ({}, (), None, None)


def test_each_file_is_counted_once_under_its_state_and_collection(archive, take_away):
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


def test_a_file_that_went_before_its_turn_stays_in_sight(archive, take_away):
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


def test_it_is_told_what_the_queue_waits_for(archive):
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


def test_the_time_left_follows_from_the_throughput_of_the_last_quarter_of_an_hour(archive):
    finish(archive, archive.work_on("old.tif", "old"), "old.color.tif")
    archive.wait(minutes=20)
    for n in range(3):
        lease = archive.work_on(f"{n}.tif", str(n))
        archive.wait(minutes=2)
        finish(archive, lease, f"{n}.color.tif")
    archive.drop("next.tif", "next")
    seen = look(archive)
    assert (seen.throughput.jobs, seen.throughput.megapixels) == (3, pytest.approx(9.0))
    assert seen.throughput.window == dt.timedelta(minutes=6), "before, nothing was to be done"
    assert seen.eta == dt.timedelta(minutes=2)


def test_what_is_paused_has_no_part_in_the_time_left(archive):
    finish(archive, archive.work_on())
    archive.drop("bulk.tif", "bulk", lane=Lane.BULK)
    with archive.database.begin() as s:
        pause(s, Lane.BULK, "kim", now=archive.now)
    assert look(archive).eta == dt.timedelta(0)


def test_the_oldest_wait_is_told(archive):
    since = archive.now
    archive.drop("a.tif", "a")
    archive.wait(hours=1)
    archive.drop("b.tif", "b")
    assert look(archive).oldest_queued_at == since


def test_what_runs_is_told_with_its_progress(archive):
    lease = archive.work_on("album/a.tif")
    with archive.database.begin() as s:
        jobs.heartbeat(s, lease, "detail", 3, 12, extend=dt.timedelta(minutes=2), now=archive.wait(seconds=9))
        (job,) = running(s)
    assert (job.display, job.owner, job.stage, job.done, job.total) == (
        "album/a.tif",
        "worker-1",
        "detail",
        3,
        12,
    )
    assert job.heartbeat_at - job.started_at == dt.timedelta(seconds=9)
