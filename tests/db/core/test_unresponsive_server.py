"""A PostgreSQL server, or a client of it, that stops responding without closing its connection."""

import threading
import time
from pathlib import Path

import pytest
from relay import Relay
from sqlalchemy import make_url, select, text, update

from db.core import postgres
from db.core.engine import open_database
from db.core.schema import Job
from db.errors import DatabaseUnavailable

pytestmark = pytest.mark.postgres

PATIENCE = 1.0


@pytest.fixture
def relay(migrated_postgres):
    address = make_url(migrated_postgres)
    folder = address.query.get("host")
    relay = Relay(Path(folder) / ".s.PGSQL.5432" if folder else (address.host, address.port or 5432))
    yield relay
    relay.close()


@pytest.fixture
def over(migrated_postgres, relay):
    """The database, reached through the relay."""
    address = make_url(migrated_postgres)
    query = {name: value for name, value in address.query.items() if name != "host"}
    url = address.set(host="127.0.0.1", port=relay.port, query=query)
    database = open_database(url.render_as_string(hide_password=False), patience=PATIENCE)
    yield database
    database.dispose()


def ask(database):
    with database.read() as s:
        return s.scalar(text("SELECT 1"))


def seconds_of_failing(database):
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        ask(database)
    return time.monotonic() - began


def test_a_frozen_server_is_unavailable_until_it_answers(over, relay):
    assert ask(over) == 1
    relay.swallow()

    # One wait for a connection that was open, one for a new one.
    assert PATIENCE < seconds_of_failing(over) < PATIENCE + 6
    assert seconds_of_failing(over) < 6

    relay.heal()
    assert ask(over) == 1


def test_a_timeout_ends_the_transaction(over, relay):
    def write():
        with over.begin() as s:
            s.execute(update(Job).values(requested_by="nobody"))
            relay.swallow()

    with pytest.raises(DatabaseUnavailable, match="sent nothing for 1 s"):
        write()


def test_a_long_answer_is_no_timeout(over, relay):
    with over.read() as s:
        rows = s.execute(text("SELECT pg_sleep(0.3), repeat('x', 20000) FROM generate_series(1, 6)")).all()

    assert len(rows) == 6


def test_without_a_timeout_the_client_waits(migrated_postgres):
    database = open_database(migrated_postgres)
    with database.read() as s:
        assert s.scalar(text("SELECT pg_sleep(1.5)")) == ""
    database.dispose()


def test_a_client_that_gave_up_leaves_the_lock_queue(archive, database, over):
    if database.dialect == "sqlite":
        return  # it has no queue
    archive.drop()
    with database.begin() as s:
        s.execute(update(Job).values(requested_by="kim"))
        with pytest.raises(DatabaseUnavailable), over.begin() as waiting:
            waiting.execute(update(Job).values(requested_by="nobody"))
        deadline = time.monotonic() + 8
        queue = text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        )
        while s.scalar(queue) and time.monotonic() < deadline:
            s.execute(text("SELECT pg_stat_clear_snapshot()"))
            time.sleep(0.2)
        assert s.scalar(queue) == 0


def test_a_client_lost_while_writing_blocks_nobody(archive, database, monkeypatch):
    if database.dialect == "sqlite":
        return  # the kernel ends the locks of a dead process
    job_id = archive.drop().job_id
    monkeypatch.setattr(postgres, "IDLE_S", 1)
    held, told = threading.Event(), []

    def vanish():
        try:
            with database.begin() as s:
                s.execute(update(Job).values(requested_by="nobody"))
                held.set()
                time.sleep(3)
        except DatabaseUnavailable as error:
            told.append(error)

    vanished = threading.Thread(target=vanish)
    vanished.start()
    held.wait()
    began = time.monotonic()
    with database.begin() as s:
        s.execute(update(Job).values(requested_by="kim"))
    waited = time.monotonic() - began
    vanished.join()

    assert waited < 2.5
    assert "idle-in-transaction" in told[0].reason
    with database.read() as s:
        assert s.scalars(select(Job.requested_by).where(Job.id == job_id)).one() == "kim"
