"""Pause, resume, cancel, retry and reprocess."""

import datetime as dt

import pytest
from sqlalchemy import select

from db.catalog.files import list_files
from db.catalog.quarantine import quarantine_scan
from db.catalog.recipes import ensure_recipe
from db.catalog.selection import Selection
from db.core.schema import Job, Recipe, Scan
from db.errors import EmptySelection, UnknownScan
from db.queue import jobs
from db.queue.commands import (
    ReprocessResult,
    cancel,
    pause,
    plan_reprocess,
    reprocess,
    resume,
    retry,
)
from db.queue.enqueue import enqueue
from db.queue.intake import quarantine_sighting, register_quarantined
from db.reports.history import scan_history
from db.reports.status import overview
from db.values import Problem
from db.vocabulary import FileState, JobState, Lane


def order(archive, give, *arguments):
    with archive.database.begin() as s:
        return give(s, *arguments, "kim", now=archive.now)


def pauses(archive):
    with archive.database.read() as s:
        return [(pause.lane, pause.by) for pause in overview(s, now=archive.now).paused]


def test_a_pause_is_in_force_until_it_is_lifted(archive):
    assert order(archive, pause, Lane.BULK) is True
    assert order(archive, pause, Lane.BULK) is False
    assert pauses(archive) == [(Lane.BULK, "kim")]
    assert order(archive, resume, Lane.BULK) is True
    assert order(archive, resume, Lane.BULK) is False
    assert pauses(archive) == []
    assert archive.happened() == ["policy assignment", "policy assignment"]


def test_resuming_everything_lifts_every_pause(archive):
    order(archive, pause, None)
    order(archive, pause, Lane.BULK)
    assert pauses(archive) == [(None, "kim"), (Lane.BULK, "kim")]
    assert order(archive, resume, None) is True
    assert pauses(archive) == []


def test_cancel_ends_queued_jobs_and_asks_running_ones(archive):
    waiting = archive.drop("a.tif", "a").job_id
    running = archive.work_on("b.tif", "b").job_id
    told = order(archive, cancel, Selection(all=True))
    assert (told.cancelled, told.requested) == (1, 1)
    assert archive.state(waiting) is JobState.CANCELLED
    assert (archive.state(running), archive.job(running).cancel_requested) == (JobState.RUNNING, True)
    again = order(archive, cancel, Selection(all=True))
    assert (again.cancelled, again.requested) == (0, 0)


def test_cancelling_by_job_id_leaves_the_others(archive):
    first, second = archive.drop("a.tif", "a").job_id, archive.drop("b.tif", "b").job_id
    order(archive, cancel, [first])
    assert (archive.state(first), archive.state(second)) == (JobState.CANCELLED, JobState.QUEUED)


def test_a_cancelled_job_can_be_retried(archive):
    job_id = archive.drop().job_id
    order(archive, cancel, [job_id])
    assert order(archive, retry, [job_id]).jobs == 1
    assert archive.happened(job_id=job_id) == ["job queued", "job cancelled", "job queued"]


def test_a_finished_or_waiting_job_is_not_retried(archive):
    archive.drop("a.tif", "a")
    lease = archive.work_on("b.tif", "b")
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(), now=archive.now)
    assert order(archive, retry, Selection(all=True)).jobs == 0


def test_a_retry_restores_all_attempts_and_releases_the_scan(archive):
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.fail(s, lease, archive.problem(), quarantine=True, now=archive.now)
    told = order(archive, retry, Selection(states=(FileState.QUARANTINED,)))
    assert (told.jobs, told.scans, told.sightings) == (1, 1, 0)
    job = archive.job(lease.job_id)
    assert (job.state, job.attempts, job.finished_at) == (JobState.QUEUED, 0, None)
    assert archive.count(Scan, Scan.problem_code.is_not(None)) == 0


def test_a_file_refused_at_intake_is_left_for_the_next_rescan(archive):
    with archive.database.begin() as s:
        register_quarantined(s, archive.seen(), archive.content(), archive.problem(), now=archive.now)
        quarantine_sighting(s, archive.seen("b.tif"), archive.problem("unreadable"), now=archive.now)
    told = order(archive, retry, Selection(all=True))
    assert (told.jobs, told.scans, told.sightings) == (0, 1, 2)
    for name in ("a.tif", "b.tif"):
        known = archive.known(name)
        assert (known.size, known.mtime_ns) == (None, None)
    assert archive.drop().new_job


def test_reprocessing_makes_one_bulk_job_for_each_scan(archive):
    scans = [archive.drop(f"{n}.tif", str(n)).scan_id for n in range(3)]
    recipe = archive.recipe(0.5)
    with archive.database.begin() as s:
        first = reprocess(s, scans + scans, recipe, "kim", now=archive.now)
        again = reprocess(s, scans, recipe, "kim", now=archive.now)
    assert (first.created, first.existing) == (3, 0)
    assert (again.created, again.existing) == (0, 3)
    assert archive.count(Job, Job.recipe_id == recipe, Job.lane == Lane.BULK) == 3


def test_reprocessing_leaves_out_what_is_quarantined(archive):
    sound = archive.drop("a.tif", "a").scan_id
    with archive.database.begin() as s:
        broken = register_quarantined(
            s, archive.seen("b.tif"), archive.content("b"), archive.problem(), now=archive.now
        ).scan_id
    recipe = archive.recipe(0.5)
    with archive.database.begin() as s:
        told = reprocess(s, [sound, broken], recipe, "kim", now=archive.now)
    assert (told.created, told.existing, told.quarantined) == (1, 0, 1)


def test_reprocessing_an_unknown_scan_is_an_error(archive):
    recipe = archive.recipe()
    with pytest.raises(UnknownScan, match="77"), archive.database.begin() as s:
        reprocess(s, [77], recipe, "kim", now=archive.now)


@pytest.mark.parametrize("give", [cancel, retry])
def test_a_command_needs_a_selection(archive, give):
    with pytest.raises(EmptySelection, match="--all"):
        order(archive, give, Selection())


def test_a_command_records_who_gave_it(archive):
    made = archive.drop()
    order(archive, cancel, [made.job_id])
    with archive.database.read() as s:
        last = scan_history(s, f"scan:{made.scan_id}").events[-1]
    assert (last.agent.kind, last.agent.name) == ("person", "kim")
    assert last.at - archive.now == dt.timedelta(0)


def test_the_plan_of_a_reprocess_matches_its_result(archive):
    for n in range(4):
        archive.drop(f"{n}.tif", str(n))
    with archive.database.begin() as s:
        scans = [file.scan_id for file in list_files(s)]
        quarantine_scan(s, scans[0], Problem("not-an-image", "it is none", "drop another"))
        recipe_id = ensure_recipe(s, "e" * 64, {}, model_name="m", weights_sha256="0" * 64, card={})
        enqueue(s, scans[1], recipe_id, Lane.BULK, "tester")
    with archive.database.read() as s:
        seen = plan_reprocess(s, scans, "e" * 64)
    assert seen == (
        frozenset(scans[2:]),
        ReprocessResult(created=2, existing=1, unmade=0, quarantined=1),
    )
    with archive.database.begin() as s:
        done = reprocess(s, scans, recipe_id, "tester")
    assert done == ReprocessResult(created=2, existing=1, unmade=0, quarantined=1)


@pytest.fixture
def by_other_recipes(archive):
    """Make a done file with a failed, a cancelled and a queued job by other recipes; return these jobs."""
    lease = archive.work_on()
    with archive.database.begin() as s:
        jobs.finish(s, lease, archive.derivative(), now=archive.now)
    made = {}
    for state, strength in ((JobState.FAILED, 0.2), (JobState.CANCELLED, 0.4), (JobState.QUEUED, 0.6)):
        recipe = archive.recipe(strength)
        with archive.database.begin() as s:
            made[state] = enqueue(s, lease.scan_id, recipe, Lane.BULK, "kim", now=archive.now)[0]
    order(archive, cancel, [made[JobState.CANCELLED]])
    failing = archive.claim(made[JobState.FAILED])
    with archive.database.begin() as s:
        jobs.fail(s, failing, archive.problem(), quarantine=True, now=archive.now)
    return made


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED])
def test_an_unsuccessful_job_is_retried_by_its_own_state(archive, by_other_recipes, state):
    other = JobState.CANCELLED if state is JobState.FAILED else JobState.FAILED
    told = order(archive, retry, Selection(states=(FileState(state.value),)))
    assert told.jobs == 1
    assert archive.state(by_other_recipes[state]) is JobState.QUEUED
    assert archive.state(by_other_recipes[other]) is other


def test_two_states_select_both_and_a_file_all_its_jobs(archive, by_other_recipes):
    both = Selection(states=(FileState.FAILED, FileState.CANCELLED))
    assert order(archive, retry, both).jobs == 2
    order(archive, cancel, Selection(states=(FileState.QUEUED,)))
    assert {archive.state(job_id) for job_id in by_other_recipes.values()} == {JobState.CANCELLED}
    assert order(archive, retry, Selection(globs=("a.tif",))).jobs == 3


def test_other_states_retry_nothing(archive, by_other_recipes):
    assert order(archive, retry, Selection(states=(FileState.DONE, FileState.QUEUED))).jobs == 0


def test_cancelling_by_state_leaves_jobs_in_other_states(archive, by_other_recipes):
    archive.claim(by_other_recipes[JobState.QUEUED])
    told = order(archive, cancel, Selection(states=(FileState.QUEUED,)))
    assert (told.cancelled, told.requested) == (0, 0)
    told = order(archive, cancel, Selection(states=(FileState.RUNNING,)))
    assert (told.cancelled, told.requested) == (0, 1)


def test_reprocess_counts_existing_jobs_that_need_a_retry(archive, by_other_recipes):
    (row,) = _scans(archive)
    for strength, unmade in ((0.2, 1), (0.4, 1), (0.6, 0)):
        recipe = archive.recipe(strength)
        with archive.database.begin() as s:
            fingerprint = s.scalars(select(Recipe.fingerprint).where(Recipe.id == recipe)).one()
            assert plan_reprocess(s, [row], fingerprint)[1].unmade == unmade
            done = reprocess(s, [row], recipe, "kim", now=archive.now)
        assert (done.created, done.existing, done.unmade) == (0, 1, unmade)


def _scans(archive):
    with archive.database.read() as s:
        return list(s.scalars(select(Scan.id)))
