"""Triggers keep agents, events and seals append-only."""

import sqlite3

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.audit.hash_chain import seal_events
from db.core.trigger_check import missing_triggers
from db.migrations import runner

TABLES = ("event", "seal", "agent")
COLUMN = {"event": "type", "seal": "sha256", "agent": "name"}


@pytest.fixture
def filled(archive):
    archive.drop()
    assert seal_events(archive.database) == 1
    return archive


def contents(database):
    with database.read() as s:
        return {table: s.execute(text(f"SELECT * FROM {table} ORDER BY id")).all() for table in TABLES}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("order", ["UPDATE {table} SET {column} = 'x'", "DELETE FROM {table}"])
def test_events_can_be_neither_changed_nor_removed(filled, table, order):
    before = contents(filled.database)
    assert before[table] != []
    with (
        pytest.raises(DBAPIError, match=f"rows of {table} are only ever added"),
        filled.database.begin() as s,
    ):
        s.execute(text(order.format(table=table, column=COLUMN[table])))
    assert contents(filled.database) == before


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite has no TRUNCATE
@pytest.mark.parametrize("table", TABLES)
def test_no_append_only_table_can_be_truncated(filled, table):
    with pytest.raises(DBAPIError, match="only ever added"), filled.database.begin() as s:
        s.execute(text(f"TRUNCATE {table} CASCADE"))


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # it alone replaces rows without a DELETE trigger
@pytest.mark.parametrize("table", ["event", "seal"])
def test_no_row_can_be_replaced(filled, table):
    connection = sqlite3.connect(filled.database.url.database)
    with pytest.raises(sqlite3.IntegrityError, match="only ever added"):
        connection.execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table} LIMIT 1")
    connection.close()


def test_other_tables_change_as_before(filled):
    with filled.database.begin() as s:
        s.execute(text("UPDATE job SET requested_by = 'somebody'"))


def test_a_dropped_trigger_is_reported(filled, url):
    assert runner.check(url) == ()
    sqlite = filled.database.dialect == "sqlite"
    with filled.database.read() as s:
        assert missing_triggers(s) == ()
    with filled.database.connect() as connection:
        if sqlite:
            connection.execute(text("DROP TRIGGER event_never_updated"))
        else:
            connection.execute(text("ALTER TABLE event DISABLE TRIGGER event_only_grows"))
    name = "event_never_updated" if sqlite else "event_only_grows"
    try:
        with filled.database.read() as s:
            assert missing_triggers(s) == (name,)
        assert runner.check(url) == (f"the trigger {name} is not in force",)
    finally:
        if not sqlite:
            with filled.database.connect() as connection:
                connection.execute(text("ALTER TABLE event ENABLE TRIGGER event_only_grows"))
