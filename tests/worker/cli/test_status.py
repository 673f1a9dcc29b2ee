import datetime as dt
import hashlib
import os
import re

import pytest
from hostile_names import NAMES, speaks

from db.reports import cached_counts
from db.reports.cached_counts import cache_counts
from worker.exits import Exit


def test_an_empty_record_says_what_to_do(saek, database):
    shown = saek("status")
    assert shown.exit_code == Exit.OK
    assert "drop scans into the inbox" in shown.stdout
    assert "no station runs" in shown.stdout


def test_without_a_record_it_names_the_home_and_makes_nothing(saek, settings):
    shown = saek("status")
    assert shown.exit_code == Exit.DATABASE
    assert "saek station" in shown.stderr
    assert str(settings.home) in shown.stderr
    assert not (settings.home / "saek.db").exists()


def test_the_overview_shows_counts_running_jobs_and_waits(saek, record):
    record.done("a.tif")
    record.running("b.tif")
    record.waiting("c.tif")
    record.refused("d.tif")
    shown = saek("status").stdout
    assert "done 1   running 1   queued 1   quarantined 1" in shown
    assert "interactive 1, bulk 0" in shown
    assert re.search(r"1 job, since [\d: -]+: Only 3 MB are free in the outbox\. Free some space\.", shown)
    running = next(line for line in shown.splitlines() if "b.tif" in line)
    assert "color" in running
    assert " 25 " in running


def test_cached_counts_show_their_age_and_exact_counts_now(saek, saek_json, record, database, monkeypatch):
    monkeypatch.setattr(cached_counts, "MANY_FILES", 2)
    record.file("a.tif")
    record.done("b.tif")
    assert "no dispatcher has cached counts yet" in saek("status").stdout
    cache_counts(database)
    record.file("c.tif")
    shown = saek("status").stdout
    assert "done 1   queued 1" in shown
    assert re.search(r"Counted +[\d.]+ m?s ago; `saek status --exact` counts now", shown)
    seen, exact = saek_json("status"), saek_json("status", "--exact")
    assert (seen["basis"], seen["files"]["queued"]) == ("census", 1)
    assert (exact["basis"], exact["files"]["queued"]) == ("live", 2)
    assert seen["counted_at"] < exact["counted_at"] == exact["at"]
    assert "Counted" not in saek("status", "--exact").stdout


def test_of_very_many_jobs_that_run_the_first_are_shown(saek, record):
    for number in range(26):
        record.running(f"{number:02}.tif")
    shown = saek("status").stdout
    assert "23.tif" in shown
    assert "24.tif" not in shown
    assert "and 2 more; --json lists all" in shown


def test_collections_are_counted_each(saek_json, record):
    record.done("1950/a.tif")
    record.file("1950/b.tif")
    record.file("서울/c.tif")
    collections = saek_json("status")["collections"]
    assert collections["1950"]["done"] == collections["1950"]["queued"] == 1
    assert collections["서울"]["queued"] == 1


def test_a_pause_shows_with_who_and_what(saek, record):
    saek("pause", "--lane", "bulk")
    assert "the bulk lane, since" in saek("status").stdout


def test_files_are_listed_by_state_with_reason_and_remedy(saek, record):
    record.done("a.tif")
    record.refused("empty.tif")
    shown = saek("status", "--state", "quarantined").stdout
    assert "empty.tif" in shown
    assert "It holds no bytes. Copy it again from its source." in shown
    assert "a.tif" not in shown


def test_files_are_listed_by_collection_up_to_a_limit(saek_json, record):
    for name in ("x/1.tif", "x/deep/2.tif", "y/3.tif"):
        record.file(name)
    assert [file["display"] for file in saek_json("status", "--collection", "x")["files"]] == [
        "x/1.tif",
        "x/deep/2.tif",
    ]
    listed = saek_json("status", "--collection", "x", "--limit", "1")
    assert len(listed["files"]) == 1
    assert listed["more"] is True


def test_a_state_that_no_file_has_is_no_failure(saek, record):
    shown = saek("status", "--state", "failed")
    assert shown.exit_code == Exit.OK
    assert "No file" in shown.stdout


@pytest.mark.parametrize("form", ["file:{sighting_id}", "{sighting_id}", "scan:{scan_id}", "job:{job_id}"])
def test_a_history_is_found_by_any_id(saek_json, record, form):
    record.file("other.tif")
    file = record.done("서울/a.tif")
    ids = {"sighting_id": file.sighting_id, "scan_id": file.scan_id, "job_id": file.job_id}
    assert saek_json("status", form.format(**ids))["scan"]["id"] == file.scan_id


def test_a_history_is_found_by_relative_and_absolute_paths(saek_json, record, settings, monkeypatch):
    file = record.done("서울/a.tif")
    (settings.inbox_path / "서울").mkdir()
    monkeypatch.chdir(settings.inbox_path / "서울")
    for word in ("서울/a.tif", "a.tif", "./a.tif", str(settings.inbox_path / "서울/a.tif")):
        assert saek_json("status", word)["scan"]["id"] == file.scan_id


def test_a_history_is_found_through_a_link_to_the_inbox(saek_json, record, settings, tmp_path):
    file = record.done("a.tif")
    (tmp_path / "link").symlink_to(settings.inbox_path)
    assert saek_json("status", str(tmp_path / "link" / "a.tif"))["scan"]["id"] == file.scan_id


def test_a_history_is_found_by_a_decomposed_name(saek_json, record):
    file = record.done("각.tif")
    assert saek_json("status", "각.tif")["scan"]["id"] == file.scan_id


def test_a_history_is_found_by_checksum_prefix(saek_json, record):
    file = record.done("a.tif")
    digest = hashlib.sha256(b"a.tif").hexdigest()
    assert saek_json("status", digest[:10])["scan"]["id"] == file.scan_id


def test_an_undecodable_name_is_not_an_internal_error(saek, record):
    shown = saek("status", os.fsdecode(b"\xc7\xd1.tif"))
    assert shown.exit_code == Exit.NOT_FOUND
    assert r"\xc7\xd1.tif" in shown.stderr


def test_a_history_shows_recipe_checksums_and_luma_error(saek, record, settings):
    record.done("a.tif")
    shown = saek("status", "a.tif").stdout
    assert f"{settings.outbox_path}/a.tif.color.tif" in shown
    assert "a" * 64 in shown
    assert "b" * 64 in shown
    assert "at most 0" in shown
    assert "preset fast, strength 1.0, format tiff" in shown
    assert shown.index("ingestion") < shown.index("to: queued") < shown.index("creation")


def test_a_history_shows_the_metadata_report(saek, saek_json, record):
    record.done("a.tif")
    shown = saek("status", "a.tif").stdout
    for words in ("dc:creator; resolution", "orientation 6: applied to the pixels", "XMP (damaged)"):
        assert words in shown
    report = saek_json("status", "a.tif")["derivatives"][0]["facts"]["metadata"]
    assert report["dropped"] == ["XMP (damaged)"]


def test_a_history_shows_the_seam_figures(saek, saek_json, record):
    record.done("a.tif")
    assert "ratio 1.01, colors within 0.06 Lab units of the whole picture's" in saek("status", "a.tif").stdout
    measured = saek_json("status", "a.tif")["derivatives"][0]["facts"]["seamlessness"]
    assert measured == {"seam_ratio": 1.0123, "consistency": 0.0567}


def test_the_history_of_a_refused_file_has_reason_and_remedy(saek, record):
    record.refused("empty.tif")
    shown = saek("status", "empty.tif").stdout
    assert "reason: It holds no bytes. (empty-file)" in shown
    assert "remedy: Copy it again from its source." in shown


def test_json_has_times_in_utc_and_places_as_uris(saek_json, record, settings):
    record.done("서울/a b.tif")
    story = saek_json("status", "서울/a b.tif")
    assert story["sightings"][0]["uri"] == (settings.inbox_path / "서울/a b.tif").as_uri()
    assert story["derivatives"][0]["uri"] == (settings.outbox_path / "서울/a b.tif.color.tif").as_uri()
    seen = story["scan"]["first_seen_at"]
    assert seen.endswith("Z")
    assert dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(seen) < dt.timedelta(minutes=1)


def test_what_does_not_exist_is_not_found(saek, record):
    shown = saek("status", "nothing.tif")
    assert shown.exit_code == Exit.NOT_FOUND
    assert shown.stdout == ""


def test_a_checksum_prefix_that_fits_two_scans_asks_for_more(saek, record):
    digests: dict[str, str] = {}
    for number in range(100_000):
        name = f"{number}.tif"
        prefix = hashlib.sha256(name.encode()).hexdigest()[:6]
        if prefix in digests and not prefix.isdecimal():
            break
        digests[prefix] = name
    record.file(digests[prefix])
    record.file(name)
    assert saek("status", prefix).exit_code == Exit.USAGE


@pytest.mark.parametrize(
    "words", [["--watch", "--json"], ["a.tif", "--state", "done"], ["--limit", "0"], ["a.tif", "--exact"]]
)
def test_contradicting_options_are_refused(saek, record, words):
    assert saek("status", *words).exit_code == Exit.USAGE


def test_a_name_cannot_control_the_terminal(saek, record):
    record.done("\x1b[2Jred.tif")
    for words in (["status", "file:1"], ["status", "--state", "done"]):
        shown = saek(*words).stdout
        assert "\x1b" not in shown
        assert r"\x1b[2Jred.tif" in shown


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_shown_as_escapes(saek, record, name):
    record.done(name)
    record.refused(f"fold\x1b[31mer/{name}")
    for words in (["status"], ["status", "--state", "done"], ["status", name], ["status", "--json"]):
        shown = saek(*words)
        assert not speaks(shown.stdout + shown.stderr), words
    assert name.encode("unicode_escape").decode() in saek("status", name).stdout


def test_a_done_file_that_failed_when_reprocessed_is_shown(saek, saek_json, record):
    job_id = record.failed_again("1950/a.tif")
    record.done("b.tif")
    assert (saek_json("status")["files"]["done"], saek_json("status")["also"]) == (
        2,
        {"failed": 1, "cancelled": 0},
    )
    assert saek_json("status")["collections_also"]["1950"] == {"failed": 1, "cancelled": 0}
    shown = saek("status").stdout
    assert "also failed 1" in shown
    assert "`saek status --state failed` lists them" in shown
    assert re.search(r"collection +done +also failed", shown)
    (file,) = saek_json("status", "--state", "failed")["files"]
    assert (file["state"], file["file_state"], file["job_id"]) == ("failed", "done", job_id)
    assert (file["code"], file["remedy"]) == ("worker-died", "look into its log")
    listed = saek("status", "--state", "failed").stdout
    assert f"job:{job_id} of a file that is done. The worker died. Look into its log." in listed
    assert "b.tif" not in listed
    assert f"(but job:{job_id} failed)" in saek("status", "--collection", "1950").stdout


def test_a_state_given_twice_means_both(saek_json, record):
    record.done("a.tif")
    record.failed("b.tif")
    record.file("c.tif")
    listed = saek_json("status", "--state", "failed", "--state", "queued")["files"]
    assert [file["display"] for file in listed] == ["b.tif", "c.tif"]


def test_a_collection_given_twice_means_both(saek_json, record):
    for name in ("x/1.tif", "y/2.tif", "z/3.tif"):
        record.file(name)
    listed = saek_json("status", "--collection", "x", "--collection", "y")["files"]
    assert [file["display"] for file in listed] == ["x/1.tif", "y/2.tif"]


def test_a_collection_is_named_by_relative_and_absolute_paths(saek_json, record, settings, monkeypatch):
    record.file("1950/a.tif")
    record.file("1960/b.tif")
    for folder in (settings.inbox_path / "1950", settings.outbox_path / "1950"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(settings.home)
    inbox, outbox = settings.inbox_path, settings.outbox_path
    for name in ("1950", "1950/", "inbox/1950", "./inbox/1950/", f"{inbox}/1950", f"{outbox}/1950"):
        assert [file["display"] for file in saek_json("status", "--collection", name)["files"]] == [
            "1950/a.tif"
        ]
    for whole in ("", "inbox", str(inbox), "./inbox/"):
        assert len(saek_json("status", "--collection", whole)["files"]) == 2
    monkeypatch.chdir(inbox / "1950")
    assert len(saek_json("status", "--collection", ".")["files"]) == 1
    assert len(saek_json("status", "--collection", "1960")["files"]) == 1
    assert len(saek_json("status", "--collection", "..")["files"]) == 2


def test_a_history_is_found_by_the_path_of_a_derivative(saek_json, record, settings, monkeypatch):
    file = record.done("서울/a.tif")
    record.done("b.tif")
    made = settings.outbox_path / "서울" / "a.tif.color.tif"
    made.parent.mkdir()
    made.touch()
    monkeypatch.chdir(made.parent)
    for word in (str(made), "a.tif.color.tif", "./a.tif.color.tif", "서울/a.tif.color.tif", f"{made}.json"):
        assert saek_json("status", word)["scan"]["id"] == file.scan_id
    monkeypatch.chdir(settings.home)
    for word in ("a.tif.color.tif", "outbox/서울/a.tif.color.tif", "./outbox/서울/a.tif.color.tif"):
        assert saek_json("status", word)["scan"]["id"] == file.scan_id


@pytest.mark.parametrize("word", ["1950", "1950/", "./1950", "empty", "1950/deep"])
def test_a_folder_points_to_the_option_for_collections(saek, record, settings, monkeypatch, word):
    record.file("1950/deep/a.tif")
    (settings.inbox_path / "empty").mkdir()
    (settings.inbox_path / "1950" / "deep").mkdir(parents=True)
    monkeypatch.chdir(settings.inbox_path)
    shown = saek("status", word)
    assert shown.exit_code == Exit.NOT_FOUND
    name = word.removeprefix("./").strip("/")
    assert f"saek: The path {word} is a folder of the inbox, not a file." in shown.stderr
    assert f"Choose its files with --collection {name}." in shown.stderr


def test_a_misspelled_file_is_told_with_the_nearest_names(saek, record):
    for name in ("1950/harbor.tif", "1950/market.tif", "1960/school.tif"):
        record.file(name)
    for word, near in (
        ("1950/harbour.tif", "Did you mean 1950/harbor.tif?"),
        ("harbor.tif", "Did you mean 1950/harbor.tif?"),
        ("1950/HARBOR.TIF", "Did you mean 1950/harbor.tif?"),
        ("1959/harbors.tif", "Did you mean 1950/?"),
    ):
        shown = saek("status", word)
        assert shown.exit_code == Exit.NOT_FOUND
        assert near in shown.stderr
    assert "Give a path in the inbox" in saek("status", "quite another thing").stderr


def test_no_remaining_time_is_shown_while_all_is_paused(saek, saek_json, record):
    record.done("a.tif")
    record.file("b.tif")
    saek("pause")
    assert (saek_json("status")["eta"], saek_json("status")["held"]) == (None, 1)
    assert "paused: 1 job waits for `saek resume`" in saek("status").stdout
    saek("resume")
    record.running("c.tif")
    saek("pause")
    assert "without the 1 job of paused lanes" in saek("status").stdout


def test_the_speed_counts_only_the_time_of_work(saek, saek_json, record):
    record.done("a.tif")
    done = saek_json("status")["throughput"]
    assert (done["window"], done["jobs"]) == (900.0, 1)
    assert 0 < done["worked"] < 60
    assert re.search(r"\(1 file in [\d.]+ m?s of work, within the last 15 min\)", saek("status").stdout)
