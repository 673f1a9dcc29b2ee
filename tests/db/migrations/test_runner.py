"""Migrations upgrade, downgrade and match the models."""

import multiprocessing
from contextlib import contextmanager

import pytest
from sqlalchemy import inspect, text

from db.audit.chain_verification import verify_chain
from db.audit.hash_chain import seal_events
from db.core import revision
from db.core.engine import open_database
from db.core.schema import Base
from db.errors import SchemaOutOfDate
from db.migrations import runner
from db.reports.cached_counts import last_counts


def test_an_empty_database_is_upgraded(empty_url):
    assert revision.current_revision(empty_url) is None
    runner.upgrade(empty_url)
    assert revision.current_revision(empty_url) == revision.head_revision()
    revision.require_current(empty_url)


def test_upgrading_again_does_nothing(archive, url):
    archive.drop()
    runner.upgrade(url)
    assert archive.happened() != []


def test_the_tables_of_a_newer_release_are_left_as_they_are(empty_url):
    runner.upgrade(empty_url)
    _execute(empty_url, "UPDATE alembic_version SET version_num = '9999'")
    for step in (runner.upgrade, revision.require_current):
        with pytest.raises(SchemaOutOfDate, match=r"9999.*does not know.*install the release that made it"):
            step(empty_url)
    assert revision.current_revision(empty_url) == "9999"
    assert runner.check(empty_url) == (
        f"the tables have revision 9999, this release needs {revision.head_revision()}",
    )


def test_models_and_migrations_agree(url):
    assert runner.check(url) == ()


def test_a_difference_is_found(url, database):
    with database.connect() as connection:
        connection.execute(text("ALTER TABLE scan ADD COLUMN mood TEXT"))
    try:
        assert [line for line in runner.check(url) if "mood" in line] != []
    finally:
        with database.connect() as connection:
            connection.execute(text("ALTER TABLE scan DROP COLUMN mood"))


def test_migrations_and_models_have_the_same_constraints(empty_url):
    # Alembic's comparison looks neither at CHECK constraints nor at the condition of an index.
    with _opened(empty_url) as database:
        with database.connect() as connection:
            Base.metadata.create_all(connection)
        of_models = _rules(database)
        with database.connect() as connection:
            Base.metadata.drop_all(connection)
        runner.upgrade(empty_url)
        assert _rules(database) == of_models


def test_every_constraint_is_named_by_the_convention(url):
    with _opened(url) as database, database.read() as s:
        inspector = inspect(s.connection())
        for table in Base.metadata.tables:
            named = [
                *inspector.get_check_constraints(table),
                *inspector.get_unique_constraints(table),
                *inspector.get_foreign_keys(table),
                inspector.get_pk_constraint(table),
            ]
            for constraint in named:
                assert constraint["name"].startswith(("ck_", "uq_", "fk_", "pk_"))


def test_all_migrations_downgrade_and_upgrade(empty_url):
    runner.upgrade(empty_url)
    runner.downgrade(empty_url, "base")
    assert revision.current_revision(empty_url) is None
    with _opened(empty_url) as database, database.read() as s:
        assert inspect(s.connection()).get_table_names() == ["alembic_version"]
    runner.upgrade(empty_url)
    assert runner.check(empty_url) == ()


def test_several_processes_may_upgrade_at_once(empty_url):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=runner.upgrade, args=(empty_url,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    assert runner.check(empty_url) == ()


def test_a_database_without_tables_is_out_of_date(empty_url):
    with pytest.raises(SchemaOutOfDate, match=r"no tables yet.*saek db upgrade"):
        revision.require_current(empty_url)


def test_a_database_of_a_later_release_asks_for_that_release(empty_url):
    runner.upgrade(empty_url)
    with _opened(empty_url) as database, database.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutOfDate, match=r"9999.*install the release"):
        revision.require_current(empty_url)


@contextmanager
def _opened(url):
    database = open_database(url)
    yield database
    database.dispose()


def test_an_upgraded_record_can_cache_counts(empty_url):
    runner.upgrade(empty_url, "0003")
    with _opened(empty_url) as database:
        runner.upgrade(empty_url)
        with database.read() as s:
            assert last_counts(s) is None
    assert runner.check(empty_url) == ()


def _rules(database):
    """Return the definition of every constraint and index."""
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        if database.dialect == "sqlite"
        else "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE schemaname = current_schema() AND tablename != 'alembic_version'"
    )
    with database.read() as s:
        indexes = {tuple(row) for row in s.execute(text(query))}
        inspector = inspect(s.connection())
        checks = {
            (table, check["name"], check["sqltext"])
            for table in Base.metadata.tables
            for check in inspector.get_check_constraints(table)
        }
    return indexes, checks


def test_an_upgrade_seals_the_events_of_an_older_record(empty_url):
    runner.upgrade(empty_url, "0001")
    at = "'2026-11-22 09:00:00.000000'" if empty_url.startswith("sqlite") else "'2026-11-22 09:00:00+00'"
    with _opened(empty_url) as database:
        with database.connect() as connection:
            connection.execute(
                text("INSERT INTO agent (id, kind, name, version) VALUES (1, 'software', 'saek', '0.1.0')")
            )
            for number in range(1, 4):
                connection.execute(
                    text(
                        "INSERT INTO event (id, type, at, outcome, detail, agent_id)"
                        f" VALUES ({number}, 'ingestion', {at}, 'success', '{{}}', 1)"
                    )
                )
        runner.upgrade(empty_url)
        assert seal_events(database) == 1
        proof = verify_chain(database)
        assert (proof.unbroken, proof.events, proof.missing_triggers) == (True, 3, ())
        runner.downgrade(empty_url, "0001")
        with database.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM event")) == 3
            connection.execute(text("DELETE FROM event"))
        runner.upgrade(empty_url)
        assert runner.check(empty_url) == ()


def _execute(url, statement):
    with _opened(url) as database, database.connect() as connection:
        connection.execute(text(statement))
