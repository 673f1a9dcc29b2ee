"""The list of files."""

import datetime as dt

import pytest
from sqlalchemy import select

from db.catalog.files import list_files
from db.core.schema import Job
from db.queue import jobs
from db.queue.commands import cancel, reprocess
from db.queue.intake import quarantine_sighting
from db.vocabulary import FileState


def rows(archive, **arguments):
    with archive.database.read() as s:
        return list(list_files(s, **arguments))


def test_a_done_file_names_its_derivative(archive):
    lease = archive.work_on("album/a.tif")
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative("album/a.color.tif"), now=archive.wait(seconds=6))
    (row,) = rows(archive)
    assert (row.state, row.display, row.collection) == (FileState.DONE, "album/a.tif", "album")
    assert (row.derivative_root, row.derivative_path) == ("outbox", b"album/a.color.tif")
    assert (row.since, row.seconds, row.reason) == (archive.now, 6.0, None)


def test_a_queued_file_tells_what_it_waits_for(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.retry_later(s, lease, archive.problem("no-space"), now=archive.wait(seconds=6))
    (row,) = rows(archive)
    assert (row.state, row.reason, row.since) == (FileState.QUEUED, "because of no-space", archive.now)


@pytest.mark.parametrize("quarantine", [True, False])
def test_a_failed_file_tells_why_and_what_to_do(archive, quarantine):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.fail(s, lease, archive.problem("crash"), quarantine=quarantine, now=archive.wait(seconds=6))
    (row,) = rows(archive)
    assert row.state is (FileState.QUARANTINED if quarantine else FileState.FAILED)
    assert (row.code, row.reason, row.remedy) == ("crash", "because of crash", "copy it again")
    assert row.since == archive.now


def test_every_state_has_a_start_time(archive, take_away):
    archive.work_on("running.tif", "running")
    archive.drop("registered.tif", "registered", job=False)
    archive.drop("gone.tif", "gone", job=False)
    dropped = archive.drop("cancelled.tif", "cancelled")
    archive.wait(minutes=1)
    with archive.database.begin() as s:
        take_away(s, b"gone.tif", now=archive.now)
        cancel(s, [dropped.job_id], "kim", now=archive.now)
        quarantine_sighting(s, archive.seen("link.tif"), archive.problem("unsafe-file"), now=archive.now)
    assert {row.display: (row.state, archive.now - row.since) for row in rows(archive)} == {
        "running.tif": (FileState.RUNNING, dt.timedelta(minutes=1)),
        "registered.tif": (FileState.REGISTERED, dt.timedelta(minutes=1)),
        "gone.tif": (FileState.GONE, dt.timedelta(0)),
        "cancelled.tif": (FileState.CANCELLED, dt.timedelta(0)),
        "link.tif": (FileState.QUARANTINED, dt.timedelta(0)),
    }


def test_files_are_listed_by_state_and_collection(archive):
    archive.work_on("album/a.tif", "a")
    archive.drop("album/back/b.tif", "b")
    archive.drop("c.tif", "c")
    assert [row.display for row in rows(archive, states=[FileState.QUEUED])] == ["album/back/b.tif", "c.tif"]
    assert [row.display for row in rows(archive, collections=["album"])] == [
        "album/a.tif",
        "album/back/b.tif",
    ]
    assert len(rows(archive, collections=[""])) == 3


def test_files_come_in_pages(archive):
    for n in range(5):
        archive.drop(f"{n}.tif", str(n), job=False)
    first = rows(archive, limit=3)
    assert [row.display for row in first] == ["0.tif", "1.tif", "2.tif"]
    assert [row.display for row in rows(archive, after=first[-1].sighting_id)] == ["3.tif", "4.tif"]
    assert rows(archive, limit=0) == []


def test_a_replaced_file_is_listed_as_it_is_now(archive):
    archive.drop("a.tif", "old")
    new = archive.drop("a.tif", "new")
    assert [row.scan_id for row in rows(archive)] == [new.scan_id]


def test_a_file_in_progress_still_names_its_derivative(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(), now=archive.now)
    recipe = archive.recipe(0.5)
    with archive.database.begin() as s:
        reprocess(s, [lease.scan_id], recipe, "kim", now=archive.now)
    (row,) = rows(archive)
    assert (row.state, row.derivative_display) == (FileState.QUEUED, "a.color.tif")


def test_several_states_and_collections_widen_the_list(archive):
    archive.work_on("x/a.tif", "a")
    archive.drop("x/b.tif", "b")
    archive.drop("y/c.tif", "c")
    archive.drop("z/d.tif", "d", job=False)
    both = [FileState.QUEUED, FileState.RUNNING]
    assert [row.display for row in rows(archive, states=both)] == ["x/a.tif", "x/b.tif", "y/c.tif"]
    assert [row.display for row in rows(archive, collections=["y", "z"])] == ["y/c.tif", "z/d.tif"]
    assert [row.display for row in rows(archive, states=both, collections=["x", "z"])] == [
        "x/a.tif",
        "x/b.tif",
    ]


def failed_anew(archive, name="a.tif"):
    """Make a done file with a failed job by another recipe; return that job."""
    lease = archive.work_on(name, name)
    recipe = archive.recipe(0.5)
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(f"{name}.color.tif"), now=archive.now)
        reprocess(s, [lease.scan_id], recipe, "kim", now=archive.now)
        (job_id,) = s.scalars(select(Job.id).where(Job.recipe_id == recipe, Job.scan_id == lease.scan_id))
    again = archive.claim(job_id)
    with archive.database.begin() as s:
        jobs.fail(s, again, archive.problem("crash"), quarantine=True, now=archive.wait(minutes=1))
    return job_id


def test_a_done_file_with_a_failed_job_is_listed_under_both(archive):
    job_id = failed_anew(archive)
    (whole,) = rows(archive)
    assert (whole.state, whole.derivative_display) == (FileState.DONE, "a.tif.color.tif")
    assert whole.failed_job_id == job_id
    (failed,) = rows(archive, states=[FileState.FAILED])
    assert (failed.state, failed.file_state, failed.job_id) == (FileState.FAILED, FileState.DONE, job_id)
    assert (failed.code, failed.reason, failed.remedy) == ("crash", "because of crash", "copy it again")
    assert (failed.since, failed.failed_job_id) == (archive.now, None)
    assert [row.state for row in rows(archive, states=[FileState.DONE])] == [FileState.DONE]
    both = rows(archive, states=[FileState.DONE, FileState.FAILED])
    assert [(row.state, row.failed_job_id) for row in both] == [(FileState.DONE, job_id)]
    assert rows(archive, states=[FileState.QUEUED, FileState.CANCELLED]) == []


def test_a_quarantined_file_is_not_listed_as_failed(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.fail(s, lease, archive.problem(), quarantine=True, now=archive.now)
    assert rows(archive, states=[FileState.FAILED]) == []
    (row,) = rows(archive, states=[FileState.QUARANTINED])
    assert row.failed_job_id is None


def test_a_file_that_is_made_again_is_listed_as_done_too(archive):
    lease = archive.work_on()
    recipe = archive.recipe(0.5)
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(), now=archive.now)
        reprocess(s, [lease.scan_id], recipe, "kim", now=archive.now)
    (row,) = rows(archive, states=[FileState.DONE])
    assert (row.state, row.file_state, row.job_id) == (FileState.DONE, FileState.QUEUED, lease.job_id)
