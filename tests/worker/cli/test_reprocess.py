import pytest

from db.catalog.files import list_files
from db.reports.status import overview
from db.vocabulary import FileState, JobState, Lane
from worker.exits import Exit


@pytest.fixture
def queued(database):
    """Tells how many jobs wait in the bulk lane."""

    def queued() -> int:
        with database.read() as s:
            return overview(s).jobs[Lane.BULK][JobState.QUEUED]

    return queued


def test_stale_files_get_a_bulk_job_and_keep_their_derivatives(saek_json, record, queued):
    record.done("a.tif")
    record.done("b.tif")
    record.file("c.tif")
    done = saek_json("reprocess", "--stale")
    assert (done["chosen"], done["created"], done["existing"], done["quarantined"]) == (2, 2, 0, 0)
    assert queued() == 2
    story = saek_json("status", "a.tif")
    assert [job["lane"] for job in story["jobs"]] == ["interactive", "bulk"]
    assert len(story["derivatives"]) == 1


def test_the_same_command_twice_queues_nothing_new(saek_json, record, queued):
    record.done("a.tif")
    saek_json("reprocess", "--all")
    again = saek_json("reprocess", "--all")
    assert (again["created"], again["existing"]) == (0, 1)
    assert queued() == 1


def test_another_recipe_is_queued_again(saek_json, record, queued):
    record.done("a.tif")
    first = saek_json("reprocess", "--all")["recipe"]
    second = saek_json("reprocess", "--all", "--strength", "0.5", "--preset", "fast", "--format", "png")[
        "recipe"
    ]
    assert first["fingerprint"] != second["fingerprint"]
    assert (second["strength"], second["preset"], second["format"]) == (0.5, "fast", "png")
    third = saek_json("reprocess", "--all", "--warmth", "0.4")["recipe"]
    assert (third["warmth"], third["strength"]) == (0.4, first["strength"])
    assert third["fingerprint"] != first["fingerprint"]
    assert queued() == 3


def test_a_dry_run_counts_the_jobs_and_changes_nothing(saek_json, record, database, queued):
    for name in ("x/a.tif", "x/b.tif", "x/c.tif", "y/d.tif"):
        record.done(name)
    saek_json("reprocess", "x/a.tif")
    cost = saek_json("reprocess", "--collection", "x", "--dry-run")
    assert (cost["chosen"], cost["to_make"], cost["existing"]) == (3, 2, 1)
    assert cost["pixels"] == 2 * 1000 * 1000
    assert cost["bytes"] >= 2 * 3 * 1000 * 1000
    assert cost["windows"] > 0
    assert queued() == 1
    assert saek_json("reprocess", "--collection", "x")["created"] == cost["to_make"]


def test_the_time_follows_from_finished_jobs(saek_json, record):
    record.done("a.tif", seconds=3.0, side=1000)
    assert saek_json("reprocess", "--all", "--dry-run")["seconds"] == pytest.approx(3.0)


def test_the_time_is_unknown_before_the_first_job(saek, saek_json, record):
    record.file("a.tif")
    assert saek_json("reprocess", "--all", "--dry-run")["seconds"] is None
    assert "unknown" in saek("reprocess", "--all", "--dry-run").stdout


def test_a_dry_run_needs_no_outbox_yet(saek_json, record, settings):
    record.file("a.tif")
    settings.outbox_path.rmdir()
    assert saek_json("reprocess", "--all", "--dry-run")["free_bytes"] > 0


def test_a_dry_run_is_readable(saek, record):
    record.done("a.tif", seconds=3.0, side=1000)
    shown = saek("reprocess", "--stale", "--dry-run").stdout
    assert "1 scan would be made; 0 exist already, 0 quarantined." in shown
    assert "1.0 MP" in shown
    assert "about 3.0 s" in shown


def test_quarantined_and_refused_files_are_not_queued(saek_json, record, queued):
    record.refused("empty.tif")
    record.done("a.tif")
    assert saek_json("reprocess", "--all")["created"] == 1
    assert queued() == 1


def test_reprocess_needs_a_selection(saek, record, queued):
    record.done("a.tif")
    refused = saek("reprocess", "--strength", "0.5")
    assert refused.exit_code == Exit.USAGE
    assert "--collection" in refused.stderr
    assert queued() == 0


def test_dropped_files_stay_in_their_lane(saek_json, record, database):
    record.file("a.tif")
    saek_json("reprocess", "--all", "--strength", "0.5")
    with database.read() as s:
        jobs = overview(s).jobs
        states = {row.state for row in list_files(s)}
    assert (jobs[Lane.INTERACTIVE][JobState.QUEUED], jobs[Lane.BULK][JobState.QUEUED]) == (1, 1)
    assert states == {FileState.QUEUED}


def test_failed_jobs_are_counted_apart_from_derivatives(saek, saek_json, record):
    record.done("a.tif")
    saek_json("reprocess", "--all")
    saek("cancel", "--all")
    for more in ((), ("--dry-run",)):
        seen = saek_json("reprocess", "--all", *more)
        assert (seen["existing"], seen["unmade"]) == (1, 1)
        shown = saek("reprocess", "--all", *more).stdout
        assert "1 existing job failed or cancelled, to be queued by `saek retry`" in " ".join(shown.split())
