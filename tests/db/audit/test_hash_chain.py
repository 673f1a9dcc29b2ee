"""Sealing of events and verification of the hash chain."""

import datetime as dt
import hashlib
import json
import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import select, text

from db.audit.canonical_form import event_line, select_events
from db.audit.chain_verification import ChainFaultKind, verify_chain
from db.audit.hash_chain import last_seal, seal_events
from db.core import events, schema
from db.core.engine import open_database
from db.core.events import NewEvent
from db.values import AgentName
from db.vocabulary import EventType

T = dt.datetime(2026, 11, 23, 10, 0, 0, 120, tzinfo=dt.UTC)


@pytest.fixture
def note(database):
    """A function that writes events, each in a transaction of its own."""

    def note(count=1, **detail):
        for number in range(count):
            with database.begin() as s:
                happening = NewEvent(
                    EventType.INGESTION, {"number": number, **detail}, agent=AgentName.person("mina")
                )
                events.append(s, [happening], at=T)

    return note


@contextmanager
def unguarded(database):
    """A connection of an owner of the tables who has dropped the triggers."""
    with database.connect() as connection:
        if database.dialect == "sqlite":
            triggers = connection.execute(
                text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            ).all()
            for name, _ in triggers:
                connection.execute(text(f"DROP TRIGGER {name}"))
        else:
            triggers = []
            for table in ("event", "seal"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        yield connection
        for _, sql in triggers:
            connection.exec_driver_sql(sql)
        if database.dialect != "sqlite":
            for table in ("event", "seal"):
                connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def tamper(database, *orders):
    with unguarded(database) as connection:
        for order in orders:
            connection.execute(text(order))


def broken(database, **options):
    return [(one.seal, one.what, one.events) for one in verify_chain(database, **options).faults]


def seals(database):
    with database.read() as s:
        return s.execute(select(schema.Seal.__table__).order_by(schema.Seal.id)).all()


def test_without_events_nothing_is_sealed(database):
    assert seal_events(database) == 0
    proof = verify_chain(database)
    assert (proof.unbroken, proof.seals, proof.last) == (True, 0, None)


def test_every_event_is_sealed_once_in_consecutive_seals(database, note):
    note(25)
    assert seal_events(database, block=10) == 3
    assert seal_events(database, block=10) == 0
    note(1)
    assert seal_events(database, block=10) == 1
    found = seals(database)
    assert [(s.id, s.events) for s in found] == [(1, 10), (2, 10), (3, 5), (4, 1)]
    assert found[0].previous_sha256 == "0" * 64
    assert [s.previous_sha256 for s in found[1:]] == [s.sha256 for s in found[:-1]]
    proof = verify_chain(database)
    assert (proof.unbroken, proof.verified, proof.events, proof.unsealed) == (True, 4, 26, 0)
    assert proof.last.sha256 == found[-1].sha256


def test_a_long_backlog_is_sealed_a_few_blocks_at_a_time(database, note):
    note(9)
    assert [seal_events(database, blocks=2, block=2) for _ in range(4)] == [2, 2, 1, 0]
    assert verify_chain(database).unbroken


def test_unsealed_events_are_counted(database, note):
    note(3)
    seal_events(database)
    note(2)
    assert verify_chain(database).unsealed == 2


def test_a_changed_event_breaks_its_seal_and_no_other(database, note):
    note(30)
    seal_events(database, block=10)
    tamper(database, "UPDATE event SET outcome = 'warning' WHERE id = 15")
    assert broken(database) == [(2, ChainFaultKind.EVENTS_CHANGED, 10)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE event SET detail = '{\"number\": 7.5}' WHERE id = 2",
        "UPDATE event SET at = '2026-11-23 10:00:00.000121' WHERE id = 2",
        "UPDATE event SET type = 'never heard of' WHERE id = 2",
        "UPDATE event SET scan_id = NULL WHERE id = 2",
        "UPDATE agent SET name = 'somebody else' WHERE kind = 'person'",
    ],
)
def test_every_column_and_the_agent_are_sealed(archive, note, change):
    archive.drop()
    note(3)
    seal_events(archive.database)
    assert verify_chain(archive.database).unbroken
    if archive.database.dialect == "postgresql":
        change = change.replace(".000121'", ".000121+00'")
    with unguarded(archive.database) as connection:
        if archive.database.dialect == "postgresql":
            connection.execute(text("ALTER TABLE agent DISABLE TRIGGER USER"))
        connection.execute(text(change))
        if archive.database.dialect == "postgresql":
            connection.execute(text("ALTER TABLE agent ENABLE TRIGGER USER"))
    assert [what for _, what, _ in broken(archive.database)] == [ChainFaultKind.EVENTS_CHANGED]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # PostgreSQL would not store it
def test_invalid_times_and_json_count_as_changed_events(database, note):
    note(3)
    seal_events(database, block=1)
    tamper(
        database,
        "UPDATE event SET at = 'yesterday' WHERE id = 1",
        "UPDATE event SET detail = '{' WHERE id = 3",
    )
    assert broken(database) == [(1, ChainFaultKind.EVENTS_CHANGED, 1), (3, ChainFaultKind.EVENTS_CHANGED, 1)]


def test_removed_events_are_counted(database, note):
    note(20)
    seal_events(database, block=10)
    tamper(database, "DELETE FROM event WHERE id IN (12, 13)")
    assert broken(database) == [(2, ChainFaultKind.EVENTS_REMOVED, 2)]


def test_an_inserted_event_is_found_even_between_two_seals(database, note):
    note(10)
    tamper(database, "DELETE FROM event WHERE id = 6")  # a number that a failed transaction left unused
    seal_events(database, block=5)
    tamper(
        database,
        "INSERT INTO event (id, type, at, outcome, detail, agent_id)"
        " SELECT 6, type, at, outcome, detail, agent_id FROM event WHERE id = 7",
    )
    assert broken(database) == [(2, ChainFaultKind.EVENTS_ADDED, 1)]


def test_an_altered_or_removed_seal_is_reported(database, note):
    note(40)
    seal_events(database, block=10)
    tamper(database, "UPDATE seal SET events = 9 WHERE id = 1", "DELETE FROM seal WHERE id = 3")
    assert broken(database) == [
        (1, ChainFaultKind.SEAL_ALTERED, 10 - 1),
        (3, ChainFaultKind.SEAL_MISSING, None),
    ]


def test_a_forged_seal_breaks_the_next_one(database, note):
    note(20)
    seal_events(database, block=10)
    tamper(
        database,
        "UPDATE event SET outcome = 'warning' WHERE id = 1",
        "UPDATE seal SET sha256 = 'f' WHERE id = 1",
    )
    assert broken(database)[-1] == (2, ChainFaultKind.SEAL_ALTERED, 10)


def test_a_rewritten_chain_differs_from_the_digests_written_down(database, note):
    note(20)
    seal_events(database, block=10)
    with database.read() as s:
        written_down = {seal.id: seal.sha256 for seal in (last_seal(s),)}
    assert verify_chain(database, expected=written_down).unbroken
    tamper(database, "UPDATE event SET outcome = 'warning' WHERE id = 1", "DELETE FROM seal")
    seal_events(database, block=10)
    assert verify_chain(database).unbroken
    assert broken(database, expected=written_down) == [(2, ChainFaultKind.SEAL_UNEXPECTED, None)]
    tamper(database, "DELETE FROM seal WHERE id = 2", "DELETE FROM event WHERE id > 10")
    assert verify_chain(database).unbroken
    assert broken(database, expected=written_down) == [(2, ChainFaultKind.SEAL_MISSING, None)]


def test_a_short_verification_still_compares_all_seals(database, note):
    note(20)
    seal_events(database, block=1)
    looks = iter([True] * 5 + [False])
    proof = verify_chain(database, go_on=lambda: next(looks))
    assert (proof.unbroken, proof.verified, proof.seals) == (True, 5, 20)
    tamper(database, "DELETE FROM seal WHERE id = 9")
    assert not verify_chain(database, go_on=lambda: False).unbroken


def test_missing_triggers_are_reported(database, note):
    note(1)
    with unguarded(database):
        pass
    assert verify_chain(database).missing_triggers == ()


def test_the_canonical_form_is_the_same_on_both_databases(database):
    with database.begin() as s:
        detail = {"b": [1.0, 1e-07, 1e16, 1.25e300, -0.0, 2.5, None, True], "a": "색", "deep": {"z": 3.0}}
        events.append(s, [NewEvent(EventType.CREATION, detail, agent=AgentName.person("민아"))], at=T)
    with database.read() as s:
        line = event_line(s.execute(select_events()).one())
    assert line == (
        b'{"agent":{"kind":"person","name":"\\ubbfc\\uc544","version":""},"at":"2026-11-23T10:00:00.000120Z",'
        b'"derivative_id":null,"detail":{"a":"\\uc0c9","b":[1,1e-07,10000000000000000,125'
        + b"0"
        * 298
        + b',0,2.5,null,true],"deep":{"z":3}},'
        b'"id":1,"job_id":null,"outcome":"success","scan_id":null,"sighting_id":null,"type":"creation"}\n'
    )


def test_the_digest_covers_the_events_and_the_seal(database, note):
    note(2)
    seal_events(database)
    (seal,) = seals(database)
    end = {
        "seal": 1,
        "form": 1,
        "previous": "0" * 64,
        "events": 2,
        "first_event_id": 1,
        "last_event_id": 2,
        "sealed_at": seal.sealed_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    with database.read() as s:
        lines = [event_line(event) for event in s.execute(select_events())]
    lines.append(json.dumps(end, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    assert seal.sha256 == hashlib.sha256(b"".join(lines)).hexdigest()


@pytest.mark.postgres
@pytest.mark.parametrize("url", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_no_seal_passes_an_event_that_is_being_written(database, url, note):
    other = open_database(url)
    try:
        with other.begin() as open_transaction:  # takes an id, and does not commit yet
            events.append(open_transaction, [NewEvent(EventType.INGESTION)], at=T)
            note(3)
            assert seal_events(database) == 0
        assert seal_events(database) == 1
    finally:
        other.dispose()
    assert [s.events for s in seals(database)] == [4]
    assert verify_chain(database).unbroken


def test_many_writers_and_two_sealers_keep_the_chain_valid(database, url):
    begun = threading.Barrier(5)
    writing = threading.Event()

    def write(name):
        with_own = open_database(url)
        begun.wait()
        for number in range(40):
            with with_own.begin() as s:
                happening = NewEvent(EventType.INGESTION, {"number": number}, agent=AgentName.person(name))
                events.append(s, [happening] * 3, at=T)
        with_own.dispose()

    def seal():
        with_own = open_database(url)
        begun.wait()
        while not writing.is_set():
            seal_events(with_own, block=7)
        with_own.dispose()

    writers = [threading.Thread(target=write, args=(f"writer {n}",)) for n in range(3)]
    sealers = [threading.Thread(target=seal) for _ in range(2)]
    for thread in (*writers, *sealers):
        thread.start()
    for thread in writers:
        thread.join()
    writing.set()
    for thread in sealers:
        thread.join()
    seal_events(database, block=7)
    proof = verify_chain(database)
    assert (proof.unbroken, proof.events, proof.unsealed) == (True, 360, 0)
