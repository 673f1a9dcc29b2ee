import pytest

from db.catalog.files import list_files
from db.vocabulary import FileState, Lane
from worker.exits import Exit


@pytest.fixture
def states(database):
    def states() -> dict[str, FileState]:
        with database.read() as s:
            return {row.display: row.state for row in list_files(s)}

    return states


def test_cancel_takes_globs_ids_collections_and_jobs(saek, record, states):
    record.file("1950/a.tif")
    record.file("1960/b.tif")
    file, job = record.file("c.tif"), record.file("d.tif")
    record.file("e.tif")
    saek("cancel", "--collection", "1950")
    saek("cancel", "19?0/b*")
    saek("cancel", str(file.sighting_id))
    saek("cancel", f"job:{job.job_id}")
    assert {name for name, state in states().items() if state is FileState.CANCELLED} == {
        "1950/a.tif",
        "1960/b.tif",
        "c.tif",
        "d.tif",
    }


def test_conditions_narrow_each_other(saek, record, states):
    record.file("x/a.tif")
    record.running("x/b.tif")
    saek("cancel", "--collection", "x", "--state", "queued")
    assert states() == {"x/a.tif": FileState.CANCELLED, "x/b.tif": FileState.RUNNING}


def test_a_running_job_is_asked_to_stop(saek_json, record):
    record.running("a.tif")
    assert saek_json("cancel", "--all") == {"cancelled": 0, "requested": 1}


def test_a_name_with_glob_characters_means_itself(saek, record, states, settings, monkeypatch):
    record.file("[ab].tif")
    record.file("a.tif")
    (settings.inbox_path / "[ab].tif").touch()
    monkeypatch.chdir(settings.inbox_path)
    saek("cancel", "[ab].tif")
    assert states() == {"[ab].tif": FileState.CANCELLED, "a.tif": FileState.QUEUED}


def test_a_scan_selects_all_its_files(saek, record, states):
    file = record.file("a.tif")
    record.file("b.tif")
    saek("cancel", f"scan:{file.scan_id}")
    assert states() == {"a.tif": FileState.CANCELLED, "b.tif": FileState.QUEUED}


def test_files_are_chosen_by_when_they_were_first_seen(saek_json, record):
    record.file("a.tif")
    assert saek_json("cancel", "--until", "2020-01-01") == {"cancelled": 0, "requested": 0}
    assert saek_json("cancel", "--since", "2020-01-01T10:00") == {"cancelled": 1, "requested": 0}


def test_retry_queues_failed_and_releases_quarantined_files(saek_json, record, states):
    record.failed("a.tif")
    record.refused("empty.tif")
    assert saek_json("retry", "--all") == {"jobs": 1, "scans": 0, "sightings": 1}
    assert states()["a.tif"] is FileState.QUEUED


def test_the_command_is_recorded_with_the_user(saek_json, record, monkeypatch):
    monkeypatch.setenv("LOGNAME", "kim")
    file = record.file("a.tif")
    saek_json("cancel", "a.tif")
    last = saek_json("status", f"scan:{file.scan_id}")["events"][-1]
    assert last["agent"] == {"kind": "person", "name": "kim", "version": ""}


def test_pause_and_resume_hold_and_release_a_lane(saek_json, record):
    assert saek_json("pause", "--lane", "bulk") == {"lane": "bulk", "changed": True}
    assert saek_json("pause", "--lane", "bulk") == {"lane": "bulk", "changed": False}
    assert [pause["lane"] for pause in saek_json("status")["paused"]] == [Lane.BULK]
    assert saek_json("resume") == {"lane": None, "changed": True}
    assert saek_json("status")["paused"] == []


def test_pausing_without_a_lane_holds_everything(saek_json, record):
    saek_json("pause")
    assert [pause["lane"] for pause in saek_json("status")["paused"]] == [None]


def test_a_command_without_a_selection_is_refused(saek, record, states):
    record.file("a.tif")
    refused = saek("cancel")
    assert refused.exit_code == Exit.USAGE
    assert "--all" in refused.stderr
    assert states() == {"a.tif": FileState.QUEUED}


@pytest.mark.parametrize("word", ["job:99", "99", "scan:99", "nothing*.tif"])
def test_a_selector_without_match_stops_the_whole_command(saek, record, states, word):
    record.file("a.tif")
    assert saek("cancel", "a.tif", word).exit_code in {Exit.NOT_FOUND, Exit.USAGE}
    assert saek("cancel", word).exit_code == Exit.NOT_FOUND
    assert states() == {"a.tif": FileState.QUEUED}


def test_a_job_is_not_mixed_with_choices_of_files(saek, record):
    job = record.file("a.tif").job_id
    assert saek("cancel", f"job:{job}", "--all").exit_code == Exit.USAGE


def test_an_invalid_date_is_refused(saek, record):
    refused = saek("cancel", "--since", "yesterday")
    assert refused.exit_code == Exit.USAGE
    assert "2026-11-30" in refused.stderr


def test_a_failed_reprocessing_is_retried_by_state(saek_json, record):
    job_id = record.failed_again("a.tif")
    record.done("b.tif")
    assert saek_json("retry", "--state", "failed") == {"jobs": 1, "scans": 0, "sightings": 0}
    assert [job["state"] for job in saek_json("status", f"job:{job_id}")["jobs"]] == ["done", "queued"]
    assert saek_json("cancel", "--state", "queued") == {"cancelled": 1, "requested": 0}
    assert saek_json("status")["also"] == {"failed": 0, "cancelled": 1}
    assert [file["display"] for file in saek_json("status", "--state", "cancelled")["files"]] == ["a.tif"]
    assert saek_json("retry", "--state", "failed", "--state", "cancelled")["jobs"] == 1


@pytest.mark.parametrize(
    "words",
    [
        "status --collection",
        "reprocess --collection",
        "reprocess --dry-run --collection",
        "retry --collection",
        "cancel --collection",
        "verify --collection",
        "contact-sheet -o sheet.png --collection",
    ],
)
def test_a_collection_that_holds_nothing_is_refused_everywhere(saek, record, settings, states, words):
    for name in ("1950/harbor/a.tif", "1951/b.tif"):
        record.file(name)
    (settings.inbox_path / "empty").mkdir()
    for name, remedy in (
        ("1952", "Did you mean 1951 or 1950?"),
        ("harbour", "Did you mean 1950/harbor?"),
        ("nope", "`saek status` lists the collections"),
        ("empty", "Drop scans into that folder"),
        ("195", "Did you mean"),
    ):
        refused = saek(*words.split(), name)
        assert refused.exit_code == Exit.NOT_FOUND
        assert remedy in refused.stderr
        assert name in refused.stderr
        assert refused.stdout == ""
        if words != "verify --collection":
            assert saek(*words.split(), "1950", "--collection", name).exit_code == Exit.NOT_FOUND
    assert set(states().values()) == {FileState.QUEUED}


@pytest.mark.parametrize("words", ["reprocess", "retry", "cancel", "verify", "contact-sheet -o sheet.png"])
def test_a_folder_among_the_files_points_to_the_option_for_it(saek, record, words):
    record.file("1950/a.tif")
    refused = saek(*words.split(), "1950")
    assert refused.exit_code == Exit.NOT_FOUND
    assert "--collection 1950" in refused.stderr


def test_files_are_chosen_by_their_derivatives(saek_json, record, settings):
    record.again("a.tif")
    record.again("b.tif")
    assert saek_json("cancel", "a.tif.color.tif") == {"cancelled": 1, "requested": 0}
    assert saek_json("cancel", str(settings.outbox_path / "b.tif.color.tif")) == {
        "cancelled": 1,
        "requested": 0,
    }


@pytest.mark.parametrize("words", ["pause --lane bulky", "resume --lane bulky", "status --state fialed"])
def test_a_wrong_option_value_is_refused_with_the_right_ones(saek, record, words):
    refused = saek(*words.split())
    assert refused.exit_code == Exit.USAGE
    assert ("'bulk'" if "lane" in words else "'failed'") in refused.stderr
    assert "Value error" not in refused.stderr


def test_selectors_of_several_kinds_are_combined(saek_json, record):
    number, scan = record.file("a.tif").sighting_id, record.file("b.tif").scan_id
    record.file("c.tif")
    record.again("d.tif")
    record.file("e.tif")
    words = (str(number), f"scan:{scan}", "c.tif", "d.tif.color.tif")
    assert saek_json("cancel", *words) == {"cancelled": 4, "requested": 0}
