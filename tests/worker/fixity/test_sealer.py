import threading
import time

from db.audit.chain_verification import verify_chain
from worker.fixity.sealer import start_sealer


def await_sealed(database, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        proof = verify_chain(database)
        if proof.seals and proof.unsealed == 0:
            return proof
        time.sleep(0.05)
    raise AssertionError(verify_chain(database))


def test_events_come_under_seals_by_themselves(stock, monkeypatch):
    monkeypatch.setattr("worker.fixity.sealer.SEAL_SECONDS", 0.1)
    stop = threading.Event()
    stock.add("a")
    sealer = start_sealer(stock.database, stop)
    try:
        assert await_sealed(stock.database).unbroken
        stock.add("b")
        assert await_sealed(stock.database).unbroken
    finally:
        stop.set()
        sealer.join(20)
    assert not sealer.is_alive()


def test_a_failure_is_told_and_tried_again(stock, monkeypatch, capsys):
    monkeypatch.setattr("worker.fixity.sealer.SEAL_SECONDS", 0.05)
    stock.add("a")
    with stock.database.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE seal RENAME TO hidden")
    stop = threading.Event()
    sealer = start_sealer(stock.database, stop)
    try:
        deadline, told = time.monotonic() + 20, ""
        while "events are not sealed yet" not in told and time.monotonic() < deadline:
            time.sleep(0.05)
            told += capsys.readouterr().out
        with stock.database.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO seal")
        assert await_sealed(stock.database).unbroken
    finally:
        stop.set()
        sealer.join(20)
    assert "events are not sealed yet" in told
