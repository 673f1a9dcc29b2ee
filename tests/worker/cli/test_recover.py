from worker.errors import BrokerUnavailable
from worker.exits import Exit
from worker.outbox.sidecars import sidecar_path
from worker.parts.wait_reporter import WaitReporter
from worker.storage.mounts import OUTBOX_MARK


def test_recovering_the_queue_shows_what_was_waiting(saek, saek_json, record):
    record.waiting("a.tif")
    record.file("b.tif")
    shown = saek("recover", "queue", "--dry-run")
    assert shown.exit_code == Exit.OK
    assert "2  queued" in shown.stdout
    assert "1  waiting for a transient cause" in shown.stdout
    assert "retried now" not in shown.stdout
    assert saek_json("recover", "queue", "--dry-run")["waiting"] == 1
    assert "retried now" in saek("recover", "queue").stdout
    assert saek_json("recover", "queue") == {
        "dry_run": False,
        "queued": 2,
        "sent": 0,
        "waiting": 0,
        "taken_back": 0,
    }


def test_recovering_the_queue_needs_a_record(saek, settings):
    assert saek("recover", "queue").exit_code == Exit.DATABASE
    assert not (settings.home / "saek.db").exists()


def test_a_lost_record_is_rebuilt_and_counted(saek, saek_json, made, database, settings):
    made("a.tif")
    database.dispose()
    for path in settings.home.glob("saek.db*"):
        path.unlink()
    assert saek_json("recover", "database", "--dry-run")["entered"]["derivatives"] == 1
    shown = saek("recover", "database", "--no-verify")
    assert shown.exit_code == Exit.OK
    assert "1  derivatives entered" in shown.stdout
    again = saek_json("recover", "database", "--from", str(settings.outbox_path))
    assert (again["known"], again["troubles"], again["findings"]) == (1, 0, [])


def test_an_unusable_sidecar_is_named_and_exits_with_1(saek, saek_json, made, settings):
    _, derivative = made("a.tif")
    sidecar_path(derivative).write_text("{")
    shown = saek("recover", "database")
    assert shown.exit_code == Exit.INCOMPLETE
    assert sidecar_path(derivative).name in shown.stderr
    (finding,) = saek_json("recover", "database")["findings"]
    assert finding["remedy"]


def test_sidecars_are_written_from_the_record(saek, saek_json, made, settings):
    _, derivative = made("a.tif")
    (settings.outbox_path / OUTBOX_MARK).touch()
    sidecar_path(derivative).unlink()
    assert saek_json("recover", "sidecars", "--dry-run")["written"] == 1
    shown = saek("recover", "sidecars")
    assert (shown.exit_code, "1 sidecar written" in shown.stdout) == (Exit.OK, True)
    derivative.unlink()
    assert saek("recover", "sidecars").exit_code == Exit.INCOMPLETE


def test_no_sidecar_is_written_to_another_outbox(saek, made, settings):
    _, derivative = made("1950/a.tif")
    share = settings.outbox_path.rename(settings.outbox_path.with_name("share"))
    settings.outbox_path.mkdir()
    for what in ("sidecars", "database"):
        shown = saek("recover", what)
        assert shown.exit_code == Exit.RETRY
        assert ".saek-outbox" in shown.stderr
    assert list(settings.outbox_path.iterdir()) == []
    assert (share / derivative.relative_to(settings.outbox_path)).exists()


def test_an_absent_outbox_is_a_transient_cause(saek, settings):
    assert saek("recover", "database", "--from", str(settings.home / "none")).exit_code == Exit.RETRY


def test_status_and_doctor_show_what_a_part_waits_for(saek, saek_json, record, settings):
    reporter = WaitReporter(settings, "dispatch")
    reporter.report(BrokerUnavailable(reason="The broker does not answer.", remedy="Start it."))
    assert "dispatch, since" in saek("status").stdout
    (part,) = saek_json("status")["parts_waiting"]
    assert (part["part"], part["code"], part["remedy"]) == ("dispatch", "broker-unavailable", "Start it.")
    assert part["since"].endswith("Z")
    assert "The broker does not answer." in saek("doctor").stdout
    assert saek_json("doctor")["waiting"]["parts"] == [part]
    reporter.clear()
    assert saek_json("status")["parts_waiting"] == []


def test_doctor_shows_how_many_jobs_wait_since_when_and_why(saek_json, record):
    record.waiting("a.tif")
    found = saek_json("doctor")
    (job,) = found["waiting"]["jobs"]
    assert (job["code"], job["jobs"], job["remedy"]) == ("no-space", 1, "free some space")
    assert job["since"] <= job["next_at"]
    check = next(check for check in found["checks"] if check["name"] == "waiting")
    assert check["state"] == "warning"
    assert "1 of the queued jobs" in check["found"]


def test_doctor_reports_an_outbox_that_is_another_one(saek_json, made, settings):
    _, derivative = made("a.tif")
    derivative.rename(settings.home / "elsewhere")
    check = next(check for check in saek_json("doctor")["checks"] if check["name"] == "places")
    assert check["state"] == "failed"
    assert "touch" in check["remedy"]
