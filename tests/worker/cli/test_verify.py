import datetime as dt
import hashlib
import os

import pytest
from sqlalchemy import text

from db.queue import jobs
from db.queue.intake import register
from db.values import NewScan, NewSighting
from worker.exits import Exit


@pytest.fixture
def colored(database, record, settings, derivative_record):
    """Puts a master into the inbox and what was made of it into the outbox, and returns both files."""

    def colored(name):
        master = settings.inbox_path / f"{name}.tif"
        made = settings.outbox_path / f"{name}.color.tif"
        for file in (master, made):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(f"{file.name} by {name}".encode())
        status, path = master.stat(), f"{name}.tif"
        seen = NewSighting(
            "inbox", path.encode(), path, path.rpartition("/")[0], status.st_size, status.st_mtime_ns, 1
        )
        scan = NewScan(digest(master), status.st_size, "tiff", 8, 8, 1, 8, 1)
        with database.begin() as s:
            job = register(s, seen, scan, record.recipe_id).job_id
        with database.begin() as s:
            lease = jobs.claim(s, job, "here:1", dt.timedelta(minutes=5))
        with database.begin() as s:
            path, size = f"{name}.color.tif", made.stat().st_size
            jobs.finish(s, lease, derivative_record(path, bytes=size, sha256=digest(made)))
        return master, made

    return colored


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def spoil(file):
    status = file.stat()
    file.write_bytes(bytes(status.st_size))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_an_empty_record_passes(saek, database):
    assert saek("verify").exit_code == Exit.OK


def test_a_sound_station_passes_and_each_check_is_recorded(saek, saek_json, colored):
    colored("a")
    colored("x/b")
    done = saek_json("verify")
    assert done["ok"] is True
    assert done["checked"]["master"]["intact"] == done["checked"]["derivative"]["intact"] == 2
    assert (done["orphans"]["count"], done["orphans"]["complete"]) == (0, True)
    assert (done["events"]["unbroken"], done["events"]["missing_triggers"]) == (True, [])
    kinds = [event["type"] for event in saek_json("status", "a.tif")["events"]]
    assert kinds[-2:] == ["fixity check", "fixity check"]
    assert saek_json("status", "a.tif")["derivatives"][0]["fixity"] == "intact"
    shown = saek("verify")
    assert shown.exit_code == Exit.OK
    assert "unbroken up to event" in shown.stdout
    (line,) = [line for line in saek("status", "a.tif").stdout.splitlines() if "last check" in line]
    assert "intact, 20" in line


def test_problems_are_named_with_a_remedy_and_exit_with_1(saek, saek_json, colored, settings):
    colored("a")
    spoil(colored("b")[1])
    colored("c")[1].unlink()
    spoil(colored("d")[0])
    (settings.outbox_path / "stray.tif").write_bytes(b"x")
    shown = saek("verify")
    assert shown.exit_code == Exit.INCOMPLETE
    for words in (
        "changed     outbox/b.color.tif",
        "missing     outbox/c.color.tif",
        "changed     inbox/d.tif",
    ):
        assert words in shown.stdout
    assert "1 orphan in" in shown.stdout
    assert "stray.tif" in shown.stdout
    assert "missing: outbox/c.color.tif" in shown.stderr
    done = saek_json("verify")
    assert done["ok"] is False
    assert {(one["finding"], one["display"]) for one in done["attention"]} == {
        ("changed", "b.color.tif"),
        ("missing", "c.color.tif"),
        ("changed", "d.tif"),
    }
    remedies = {one["display"]: one["remedy"] for one in done["attention"]}
    again = "saek reprocess file:2 --model old --preset fast --strength 1 --warmth 0 --format tiff --pyramid"
    assert remedies["b.color.tif"].endswith(again)
    assert [one["display"] for one in done["orphans"]["files"]] == ["stray.tif"]
    assert (settings.outbox_path / "stray.tif").exists()


def test_a_damaged_file_stays_reported_until_it_is_intact(saek, colored):
    _, made = colored("a")
    content = made.read_bytes()
    made.unlink()
    (made.parent / "other").write_bytes(b"x")
    assert saek("verify", "--derivatives").exit_code == Exit.INCOMPLETE
    assert saek("verify", "--masters", "--derivatives", "--limit", "1").exit_code == Exit.INCOMPLETE
    made.write_bytes(content)
    assert saek("verify", "--derivatives", "--older-than", "30d").exit_code == Exit.OK


def test_a_limited_run_is_continued_by_the_next(saek, saek_json, colored):
    for name in "abc":
        colored(name)
    assert "the next run continues from here" in saek("verify", "--limit", "4").stdout
    done = saek_json("verify", "--older-than", "1h", "--seconds", "60", "--rate", "100")
    assert sum(sum(found.values()) for found in done["checked"].values()) == 2
    assert done["standing"]["master"]["unchecked"] == done["standing"]["derivative"]["unchecked"] == 0


def test_a_dry_run_reads_and_records_nothing(saek_json, colored, database):
    master, _ = colored("a")
    foreseen = saek_json("verify", "--dry-run", "--rate", "0.01")
    assert foreseen["due"]["master"] == {
        "files": 1,
        "bytes": master.stat().st_size,
        "seconds": round(master.stat().st_size / 1e4, 3),
    }
    assert saek_json("status", "a.tif")["derivatives"][0]["fixity"] is None
    assert saek_json("verify", "--dry-run")["due"] == {**foreseen["due"]} | {
        kind: {**amount, "seconds": None} for kind, amount in foreseen["due"].items()
    }
    with database.read() as s:
        assert s.scalar(text("SELECT count(*) FROM seal")) == 0


def test_chosen_files_are_checked_with_their_derivatives_only(saek_json, saek, colored):
    colored("a")
    colored("x/b")
    done = saek_json("verify", "x/b.tif")
    assert (done["checked"]["master"]["intact"], done["checked"]["derivative"]["intact"]) == (1, 1)
    assert (done["orphans"], done["events"]) == (None, None)
    assert saek_json("verify", "--collection", "x", "--masters")["checked"]["derivative"]["intact"] == 0
    assert saek("verify", "nothing.tif").exit_code == Exit.NOT_FOUND


def test_tampered_events_are_located(saek, saek_json, colored, database):
    colored("a")
    saek_json("verify")
    with database.connect() as connection:
        connection.execute(text("DROP TRIGGER event_never_deleted"))
        connection.execute(text("DELETE FROM event WHERE id = 2"))
    shown = saek("verify", "--events")
    assert shown.exit_code == Exit.INCOMPLETE
    assert "BROKEN at seal 1: 1 event was removed (events 1 to" in shown.stdout
    assert "event_never_deleted" in shown.stdout
    (broken,) = saek_json("verify", "--events")["events"]["broken"]
    assert (broken["seal"], broken["what"], broken["events"]) == (1, "events removed", 1)


def test_an_expected_seal_proves_that_the_record_is_the_same(saek, saek_json, colored):
    colored("a")
    seal = saek_json("verify")["seal"]
    sound = saek("verify", "--expect-seal", f"{seal['id']}:{seal['sha256']}")
    assert sound.exit_code == Exit.OK
    other = saek("verify", "--events", "--expect-seal", f"{seal['id']}:{'0' * 64}")
    assert other.exit_code == Exit.INCOMPLETE
    assert "not the expected seal" in other.stdout
    assert saek("verify", "--events", "--expect-seal", f"99:{seal['sha256']}").exit_code == Exit.INCOMPLETE


@pytest.mark.parametrize(
    "words", [("--older-than", "a while"), ("--expect-seal", "1:abc"), ("--rate", "0"), ("--seconds", "-1")]
)
def test_invalid_option_values_are_refused(saek, database, words):
    assert saek("verify", *words).exit_code == Exit.USAGE


def test_no_file_of_an_absent_outbox_is_called_missing(saek, saek_json, colored, settings):
    colored("a")
    settings.outbox_path.rename(settings.outbox_path.with_name("share"))
    done = saek_json("verify")
    assert (done["ok"], list(done["away"])) == (False, ["outbox"])
    assert done["checked"]["derivative"]["missing"] == 0
    assert "Nothing in it was checked" in saek("verify").stdout


def test_masters_that_left_the_inbox_can_be_skipped(saek, colored, database, take_away):
    master, _ = colored("a")
    master.unlink()
    with database.begin() as s:
        take_away(s, b"a.tif")
    left = saek("verify")
    assert left.exit_code == Exit.INCOMPLETE
    assert "It left the inbox" in left.stdout
    assert saek("verify", "--skip-gone").exit_code == Exit.OK


def test_files_are_chosen_by_state_too(saek_json, colored, record):
    colored("a")
    record.file("queued.tif")
    for state, masters in (("done", 1), ("queued", 1), ("failed", 0)):
        due = saek_json("verify", "--state", state, "--dry-run")["due"]
        assert due["master"]["files"] == masters
    both = saek_json("verify", "--state", "done", "--state", "queued", "--dry-run")["due"]
    assert both["master"]["files"] == 2
