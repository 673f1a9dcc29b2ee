"""Connections, transactions and errors of both databases."""

import multiprocessing
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from db.core import engine
from db.core.engine import Database, open_database
from db.core.schema import Job, Scan
from db.errors import DatabaseUnavailable, SchemaOutOfDate, UnsupportedDatabase, UnusableLocation


def test_a_transaction_is_committed(archive):
    archive.drop()
    assert archive.count(Scan) == 1


def test_an_exception_rolls_everything_back(archive, database):
    job_id = archive.drop().job_id

    def fail_on_the_way():
        with database.begin() as s:
            s.execute(update(Job).values(requested_by="nobody"))
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        fail_on_the_way()
    assert archive.job(job_id).requested_by == "inbox"


def test_a_reader_cannot_write(archive, database):
    archive.drop()
    with pytest.raises(Exception, match=r"read-?only"), database.read() as s:
        s.execute(update(Job).values(requested_by="nobody"))


def test_a_reader_sees_one_snapshot(archive, database):
    with database.read() as s:
        assert s.scalars(select(Scan.id)).all() == []
        archive.drop()
        assert s.scalars(select(Scan.id)).all() == []


def test_writers_take_turns(archive, database):
    job_id = archive.drop().job_id

    def count_up():
        for _ in range(10):
            with database.begin() as s:
                before = s.scalars(select(Job.progress_done).where(Job.id == job_id).with_for_update()).one()
                s.execute(update(Job).where(Job.id == job_id).values(progress_done=before + 1))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert archive.job(job_id).progress_done == 40


def test_sqlite_is_set_up_on_each_connection(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/saek.sqlite3")
    with database.begin() as first, database.read() as second:
        for session in (first, second):
            pragmas = {
                name: session.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
            }
            assert pragmas == {
                "journal_mode": "wal",
                "foreign_keys": 1,
                "busy_timeout": 30_000,
                "synchronous": 2,
            }
    database.dispose()


def test_a_forked_child_leaves_its_parents_connections_alone(archive, database):
    archive.drop()

    def use_it():
        archive.drop("b.tif", "b")

    child = multiprocessing.get_context("fork").Process(target=use_it)
    child.start()
    child.join()
    assert child.exitcode == 0
    assert archive.count(Scan) == 2


def test_a_database_without_tables_says_how_to_make_them(empty_url):
    database = open_database(empty_url)
    with pytest.raises(SchemaOutOfDate, match="saek db upgrade"), database.read() as s:
        s.scalars(select(Scan.id)).all()
    database.dispose()


def test_an_unavailable_server_is_reported_without_password():
    database = open_database("postgresql://clerk:s3cret@127.0.0.1:1/saek")
    with pytest.raises(DatabaseUnavailable) as caught, database.begin() as s:
        s.execute(text("SELECT 1"))
    assert "127.0.0.1:1" in caught.value.reason
    assert "s3cret" not in str(caught.value)
    assert "check that the database runs" in caught.value.remedy


@pytest.mark.postgres
def test_a_connection_that_the_server_dropped_is_replaced(migrated_postgres):
    database, other = open_database(migrated_postgres), open_database(migrated_postgres)

    def drop(backend):
        with other.begin() as s:
            s.execute(select(func.pg_terminate_backend(backend)))

    def lose_it_on_the_way():
        with database.begin() as s:
            drop(s.scalar(select(func.pg_backend_pid())))
            s.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable, match="terminat"):
        lose_it_on_the_way()
    with database.begin() as s:
        backend = s.scalar(select(func.pg_backend_pid()))
    drop(backend)
    with database.begin() as s:
        assert s.scalar(select(func.pg_backend_pid())) != backend
    database.dispose()
    other.dispose()


def test_a_writer_that_waits_too_long_learns_of_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.05)
    url = f"sqlite:///{tmp_path}/saek.sqlite3"
    holder, waiter = open_database(url), open_database(url)
    with holder.begin() as held:
        held.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable, match="another process holds"), waiter.begin() as s:
            s.execute(text("SELECT 1"))
    holder.dispose()
    waiter.dispose()


def test_a_broken_file_says_to_restore_a_backup(tmp_path):
    path = tmp_path / "saek.sqlite3"
    path.write_bytes(b"this is no database at all, though it is long enough to be one" * 20)
    database = open_database(f"sqlite:///{path}")
    with pytest.raises(DatabaseUnavailable, match="backup"), database.read() as s:
        s.execute(text("SELECT 1"))
    database.dispose()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://root@localhost/saek", "saek.db"])
def test_other_databases_are_refused(url):
    with pytest.raises(UnsupportedDatabase, match="SAEK_DATABASE_URL"):
        open_database(url)


def test_a_network_file_system_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "network_file_system", lambda _path: "nfs4")
    with pytest.raises(UnusableLocation, match=r"nfs4.*local disk"):
        open_database(f"sqlite:///{tmp_path}/saek.sqlite3")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UnusableLocation, match="no/such"):
        open_database(f"sqlite:///{tmp_path}/no/such/saek.sqlite3")


@pytest.mark.parametrize(
    ("url", "dialect"),
    [("postgresql://host/saek", "postgresql"), ("postgresql+psycopg2://host/saek", "postgresql")],
)
def test_postgresql_is_always_reached_by_psycopg_3(url, dialect):
    database = open_database(url)
    assert isinstance(database, Database)
    assert (database.dialect, database.url.drivername) == (dialect, "postgresql+psycopg")


def test_opening_creates_no_file(tmp_path):
    open_database(f"sqlite:///{tmp_path}/saek.sqlite3").dispose()
    assert list(Path(tmp_path).iterdir()) == []


def test_an_invalid_address_is_not_repeated():
    with pytest.raises(UnsupportedDatabase) as caught:
        open_database("postgres//saek:hush@db")
    assert "hush" not in str(caught.value)
