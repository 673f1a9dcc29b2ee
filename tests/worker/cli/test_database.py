from db.revision import head
from worker.exits import Exit


def test_upgrade_makes_the_tables_and_is_idempotent(saek, settings):
    assert "from nothing to" in saek("db", "upgrade").stdout
    again = saek("db", "upgrade")
    assert again.exit_code == Exit.OK
    assert "already" in again.stdout


def test_current_tells_what_is_and_what_is_needed(saek, told, database):
    assert told("db", "current") == {"current": head(), "head": head(), "up_to_date": True}
    assert saek("db", "current").exit_code == Exit.OK


def test_tables_of_no_release_are_out_of_date(saek, settings):
    found = saek("db", "current")
    assert found.exit_code == Exit.DATABASE
    assert "none" in found.stdout


def test_check_finds_a_column_that_is_missing(saek, told, database):
    assert told("db", "check") == {"differences": []}
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
