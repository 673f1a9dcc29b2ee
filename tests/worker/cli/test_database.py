import pytest

from db.core.revision import head_revision
from worker.exits import Exit


def test_upgrade_makes_the_tables_and_is_idempotent(saek, settings):
    assert "from nothing to" in saek("db", "upgrade").stdout
    again = saek("db", "upgrade")
    assert again.exit_code == Exit.OK
    assert "already" in again.stdout


def test_current_tells_what_is_and_what_is_needed(saek, saek_json, database):
    assert saek_json("db", "current") == {
        "current": head_revision(),
        "head": head_revision(),
        "up_to_date": True,
    }
    assert saek("db", "current").exit_code == Exit.OK


def test_tables_of_no_release_are_out_of_date(saek, settings):
    found = saek("db", "current")
    assert found.exit_code == Exit.DATABASE
    assert "none" in found.stdout


def test_check_finds_a_column_that_is_missing(saek, saek_json, database):
    assert saek_json("db", "check") == {"differences": []}
    with database.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE derivative DROP COLUMN engine")
    found = saek("db", "check")
    assert found.exit_code == Exit.DATABASE
    assert "engine" in found.stdout


def test_an_address_of_another_database_is_a_wrong_setting(saek, monkeypatch):
    monkeypatch.setenv("SAEK_DATABASE_URL", "mysql://root:hush@127.0.0.1/x")
    refused = saek("db", "current")
    assert refused.exit_code == Exit.SETTINGS
    assert "hush" not in refused.output


@pytest.fixture
def newer(database):
    """The record of a release that is not out yet."""
    with database.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("ALTER TABLE job RENAME COLUMN failure_code TO problem_code")


@pytest.mark.parametrize(
    "words",
    [
        "db upgrade",
        "db current",
        "db check",
        "station --until-idle",
        "ingest",
        "dispatch",
        "status",
        "status --watch",
        "status a.tif",
        "reprocess --all",
        "retry --all",
        "cancel --all",
        "pause",
        "resume",
        "verify",
        "recover queue",
        "recover sidecars",
        "contact-sheet --all -o sheet.png",
    ],
)
def test_the_record_of_a_newer_release_is_left_alone(saek, newer, words):
    refused = saek(*words.split())
    assert refused.exit_code == Exit.DATABASE
    assert "9999" in refused.output
    assert "Traceback" not in refused.output
    assert (
        words in {"db current", "db check"}
        or "Install the release that made it, or a newer one." in refused.stderr
    )


def test_the_doctor_tells_of_the_record_of_a_newer_release(saek_json, newer):
    checks = {check["name"]: check for check in saek_json("doctor")["checks"]}
    assert checks["database"]["state"] == "failed"
    assert "9999" in checks["database"]["found"]
    assert "release that made it" in checks["database"]["remedy"]


def test_looking_for_tables_makes_no_file(saek, settings):
    for words in (["db", "current"], ["db", "check"]):
        assert saek(*words).exit_code == Exit.DATABASE
    assert not (settings.home / "saek.db").exists()
