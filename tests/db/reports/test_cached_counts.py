"""Cached counts."""

from collections import Counter

import pytest
from sqlalchemy import select, update

from db.catalog.files import list_files
from db.core import schema
from db.queue import jobs
from db.queue.commands import cancel, pause
from db.queue.enqueue import enqueue
from db.queue.intake import quarantine_sighting
from db.reports import cached_counts
from db.reports.cached_counts import cache_counts, count_everything, last_counts
from db.reports.status import overview
from db.values import utcnow
from db.vocabulary import Basis, FileState, JobState, Lane


@pytest.fixture
def many(monkeypatch):
    """Three files count as many."""
    monkeypatch.setattr(cached_counts, "MANY_FILES", 3)


def look(archive, **how):
    with archive.database.read() as s:
        return overview(s, now=archive.now, **how)


@pytest.fixture
def filled(archive, take_away):
    """An archive with files in every state, several jobs for some of them, and jobs that wait for a disk."""
    done = archive.work_on("album/done.tif", "done")
    failed = archive.work_on("failed.tif", "failed")
    bad = archive.work_on("bad.tif", "bad")
    resting = archive.work_on("album/resting.tif", "resting")
    archive.work_on("앨범/running.tif", "running")
    archive.drop("album/queued.tif", "queued", lane=Lane.BULK)
    dropped = archive.drop("cancelled.tif", "cancelled")
    archive.drop("registered.tif", "registered", job=False)
    archive.drop("gone.tif", "gone", job=False)
    archive.drop("copy of done.tif", "done")
    archive.drop("replaced.tif", "before")
    archive.drop("replaced.tif", "after")
    with archive.database.begin() as s:
        jobs.finish(s, done, archive.derivative(), now=archive.now)
        jobs.fail(s, failed, archive.problem(), quarantine=False, now=archive.now)
        jobs.fail(s, bad, archive.problem(), quarantine=True, now=archive.now)
        jobs.retry_later(s, resting, archive.problem("no-space"), now=archive.now)
        quarantine_sighting(s, archive.seen("link.tif"), archive.problem("unsafe-file"), now=archive.now)
        cancel(s, [dropped.job_id], "kim", now=archive.now)
        take_away(s, b"gone.tif", now=archive.now)
    return archive


def test_each_file_counts_in_the_state_that_it_is_listed_in(filled):
    with filled.database.read() as s:
        listed = Counter((file.collection, file.state) for file in list_files(s))
        counted = count_everything(s, filled.now).collections
    assert {state for _, state in listed} == set(FileState)
    assert listed == {
        (name, state): count for name, states in counted.items() for state, count in states.items() if count
    }


def test_cached_counts_are_read_as_they_were_stored(filled, many):
    taken = cache_counts(filled.database)
    assert taken is not None
    with filled.database.read() as s:
        assert last_counts(s) == taken
    assert taken.jobs[Lane.BULK][JobState.QUEUED] == 1
    assert {(group.reason, group.code) for group in taken.queued} >= {(None, None)}


def test_few_files_need_no_cached_counts(filled):
    assert cache_counts(filled.database) is None
    seen = look(filled)
    assert (seen.basis, seen.counted_at) == (Basis.LIVE, filled.now)


def test_many_files_are_reported_from_the_cache(filled, many):
    taken = cache_counts(filled.database)
    filled.drop("late.tif", "late")
    seen, exact = look(filled), look(filled, exact=True)
    assert (seen.basis, seen.counted_at) == (Basis.CACHED, taken.taken_at)
    assert (exact.basis, exact.counted_at) == (Basis.LIVE, filled.now)
    assert exact.files[FileState.QUEUED] == seen.files[FileState.QUEUED] + 1


def test_new_counts_replace_the_cached_ones(filled, many):
    cache_counts(filled.database)
    filled.drop("late.tif", "late")
    cache_counts(filled.database)
    assert look(filled).files == look(filled, exact=True).files
    assert filled.count(cached_counts.schema.CachedCounts) == 1


def test_without_cached_counts_many_files_are_counted(filled, many):
    seen = look(filled)
    assert (seen.basis, seen.counted_at) == (Basis.NOT_CACHED, filled.now)
    assert seen.files == look(filled, exact=True).files


def test_pauses_are_current_with_cached_counts(filled, many):
    cache_counts(filled.database)
    with filled.database.begin() as s:
        pause(s, Lane.BULK, "kim", now=filled.now)
    seen = look(filled)
    assert seen.basis is Basis.CACHED
    assert ("the bulk lane is paused", 1) in {(waiting.reason, waiting.jobs) for waiting in seen.waiting}


def test_waits_are_the_same_counted_and_cached(archive, many):
    archive.now = utcnow()  # a census goes by the clock
    for name in ("a", "b", "c"):
        lease = archive.work_on(f"{name}.tif", name)
        with archive.database.begin() as s:
            jobs.retry_later(s, lease, archive.problem("no-space"), now=archive.wait(seconds=1))
    cache_counts(archive.database)
    seen = look(archive)
    assert seen.basis is Basis.CACHED
    (full,) = seen.waiting
    assert (full.jobs, full.code, full.remedy) == (3, "no-space", "copy it again")
    assert seen.waiting == look(archive, exact=True).waiting


def test_cached_counts_include_unsuccessful_jobs(many, filled):
    lease = filled.work_on("앨범/again.tif", "again")
    recipe = filled.recipe(0.5)
    with filled.database.begin() as s:
        jobs.finish(s, lease, filled.derivative("again.color.tif"), now=filled.now)
        job_id = enqueue(s, lease.scan_id, recipe, Lane.BULK, "kim", now=filled.now)[0]
        cancel(s, [job_id], "kim", now=filled.now)
    cache_counts(filled.database)
    seen = look(filled)
    assert (seen.basis, seen.also[JobState.CANCELLED]) == (Basis.CACHED, 1)
    assert seen.collections_also["앨범"] == {JobState.FAILED: 0, JobState.CANCELLED: 1}
    assert look(filled, exact=True).also == seen.also


def test_cached_counts_of_an_earlier_release_are_read(many, filled):
    cache_counts(filled.database)
    with filled.database.begin() as s:
        facts = s.scalars(select(schema.CachedCounts.facts)).one()
        del facts["also"]
        s.execute(update(schema.CachedCounts).values(facts=facts))
    assert set(look(filled).also.values()) == {0}
