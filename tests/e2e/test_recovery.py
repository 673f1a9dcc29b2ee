"""What is lost comes back, and what passes is waited for: real stations, files, mounts and processes."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import tifffile
from patience import await_that
from relay import Relay
from skimage import data
from sqlalchemy import make_url, select

from db.catalog.files import FileRow
from db.core.schema import Event
from db.migrations.runner import upgrade
from db.reports.history import scan_history
from db.reports.status import overview
from db.vocabulary import EventType, FileState, JobState
from worker.errors import BrokerUnavailable
from worker.parts.wait_reporter import waiting_parts
from worker.queue.broker import broker_client, ping
from worker.settings import load_settings


def picture(seed: int) -> Any:
    return np.roll(data.camera(), 37 * seed, axis=1)[: 100 + seed, :140]


def drop(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, picture(sum(name.encode())))


@pytest.fixture
def apart(tmp_path: Path, station: Any) -> Iterator[Any]:
    """A station whose inbox and outbox lie outside of its home."""
    inbox, outbox = tmp_path / "scans", tmp_path / "colored"
    for folder in (inbox, outbox):
        folder.mkdir(exist_ok=True)
    extra = f'inbox = "{inbox}"\noutbox = "{outbox}"\npreset = "fast"\n'
    made = type(station)(tmp_path / "apart", tmp_path / "apart.log", extra)
    yield made
    made.kill()


def states(rows: dict[str, FileRow]) -> dict[str, tuple[FileState, str | None, bytes | None]]:
    return {name: (row.state, row.code, row.derivative_path) for name, row in rows.items()}


def fingerprints(outbox: Path) -> dict[str, tuple[str, int, int]]:
    return {
        str(path.relative_to(outbox)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_ino,
            path.stat().st_mtime_ns,
        )
        for path in outbox.rglob("*")
        if path.is_file()
    }


def begun(station: Any) -> int:
    """How often a worker has begun to work, by the record."""
    with station.database() as database, database.read() as s:
        details = s.scalars(select(Event.detail).where(Event.type == EventType.JOB_STATE_CHANGE)).all()
    return sum(detail["to"] == JobState.RUNNING for detail in details)


def attempts(station: Any, name: str) -> list[tuple[JobState, int]]:
    with station.database() as database, database.read() as s:
        told = scan_history(s, name)
    assert told is not None
    return [(job.state, job.attempts) for job in told.jobs]


def told(station: Any, *words: str) -> Any:
    done = station.saek(*words, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_lost_home_is_rebuilt_from_the_outbox(apart: Any) -> None:
    inbox, outbox = apart.settings.inbox_path, apart.settings.outbox_path
    drop(inbox, "a.tif", "마을/b.tif", "마을/c.tif")
    shutil.copy(inbox / "a.tif", inbox / "마을" / "same as a.tif")
    (inbox / "empty.tif").touch()
    apart.start("--until-idle")
    assert apart.wait(200) == 0, apart.tail()
    assert apart.saek("reprocess", "마을/b.tif", "--strength", "0.5").returncode == 0
    apart.start("--until-idle")
    assert apart.wait(200) == 0, apart.tail()
    before, files = states(apart.rows()), fingerprints(outbox)
    assert sum(state is FileState.DONE for state, _, _ in before.values()) == 4
    assert len(apart.made()) == 5, "the file of the same bytes has its own name for it"
    assert begun(apart) == 4

    shutil.rmtree(apart.settings.home)
    apart.settings.home.mkdir()
    (apart.settings.home / "saek.toml").write_text(apart.configuration)
    planned = told(apart, "recover", "database", "--dry-run")
    assert (planned["entered"]["derivatives"], planned["entered"]["links"]) == (4, 1)
    entered = told(apart, "recover", "database")["entered"]
    assert (entered["scans"], entered["sightings"], entered["jobs"], entered["derivatives"]) == (3, 4, 4, 4)
    assert entered["links"] == 1
    assert told(apart, "recover", "database")["entered"] == dict.fromkeys(entered, 0)

    apart.start("--until-idle")
    assert apart.wait(200) == 0, apart.tail()
    assert states(apart.rows()) == before
    assert fingerprints(outbox) == files
    assert begun(apart) == 0
    assert sorted(attempts(apart, "마을/b.tif")) == [(JobState.DONE, 1)] * 2


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_emptied_broker_is_refilled_from_the_record(
    apart: Any,
) -> None:
    names = [f"{number}.tif" for number in range(4)]
    drop(apart.settings.inbox_path, *names)
    assert apart.saek("db", "upgrade").returncode == 0
    parts = [part(apart, name) for name in ("broker", "ingest", "dispatch")]

    def waiting() -> int:
        try:
            return ping(apart.settings).depth["interactive"]
        except BrokerUnavailable:
            return -1

    await_that(apart, lambda: waiting() == 4, "four messages")
    for process in parts:
        process.kill()
        process.wait()
    shutil.rmtree(apart.settings.broker_data_path)
    planned = told(apart, "recover", "queue", "--dry-run")
    assert (planned["queued"], planned["sent"]) == (4, 4)
    assert told(apart, "recover", "queue") == {**planned, "dry_run": False}
    assert told(apart, "recover", "queue")["sent"] == 0
    apart.start()
    await_that(apart, lambda: waiting() >= 0, "the broker")
    client = broker_client(apart.settings)
    client.flushall()
    client.close()
    assert apart.saek("recover", "queue").returncode == 0
    apart.await_that(
        lambda: all(apart.rows()[name].state is FileState.DONE for name in names), "the end of every file"
    )
    assert apart.stop() == 0
    assert begun(apart) == 4
    assert len(apart.made()) == 4


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_shares_that_disappear_for_a_while_cost_nothing(apart: Any, mount: Callable[..., None]) -> None:
    inbox, outbox = apart.settings.inbox_path, apart.settings.outbox_path
    mount(inbox, "20m")
    mount(outbox, "200m")
    drop(inbox, "a.tif")
    apart.start()
    apart.await_that(lambda: state_of(apart, "a.tif") is FileState.DONE, "the first file")
    kept = {share: share.with_suffix(".kept") for share in (inbox, outbox)}
    for share, elsewhere in kept.items():
        elsewhere.mkdir()
        subprocess.run(["mount", "--move", share, elsewhere], check=False)
    moved = [share for share in kept if not any(share.iterdir())]
    if len(moved) < 2:  # a mount below a shared one cannot be moved: bind it, then let go
        for share, elsewhere in kept.items():
            subprocess.run(["mount", "--bind", share, elsewhere], check=True)
            subprocess.run(["umount", "--lazy", share], check=True)

    apart.await_that(lambda: "ingest" in waits_of(apart), "the ingester's wait", 40)
    with apart.database() as database, database.read() as s:
        assert overview(s).files[FileState.GONE] == 0
    subprocess.run(["mount", "--bind", kept[inbox], inbox], check=True)
    drop(inbox, "b.tif")
    apart.await_that(lambda: "worker" in waits_of(apart), "the worker's wait", 60)
    whole = told(apart, "status")
    (waiting,) = [wait for wait in whole["waiting"] if wait["code"]]
    assert (waiting["code"], waiting["jobs"]) == ("output-unavailable", 1)
    assert "mount" in waiting["remedy"]
    assert waiting["since"]
    found = told(apart, "doctor")
    check = next(check for check in found["checks"] if check["name"] == "waiting")
    assert check["state"] == "warning"
    assert "outbox" in check["found"]
    assert [part["code"] for part in found["waiting"]["parts"]] == ["output-unavailable"]
    assert list(outbox.iterdir()) == []

    subprocess.run(["mount", "--bind", kept[outbox], outbox], check=True)
    apart.await_that(lambda: state_of(apart, "b.tif") is FileState.DONE, "the second file", 60)
    assert attempts(apart, "b.tif") == [(JobState.DONE, 1)]
    assert apart.stop() == 0
    assert waits_of(apart) == set()
    assert len(apart.made()) == 2
    for share in (inbox, outbox):
        subprocess.run(["umount", "--lazy", share], check=True)
    for elsewhere in kept.values():
        subprocess.run(["umount", "--lazy", elsewhere], check=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_disk_that_fills_up_while_writing_is_waited_for(apart: Any, mount: Callable[..., None]) -> None:
    inbox, outbox = apart.settings.inbox_path, apart.settings.outbox_path
    mount(outbox, "1m")
    toml = apart.settings.home / "saek.toml"
    toml.write_text(toml.read_text().replace("min_free_bytes = 1_000_000", "min_free_bytes = 0"))
    rng = np.random.default_rng(7)
    grain = rng.integers(0, 2**15, (800, 900), dtype=np.uint16)
    tifffile.imwrite(inbox / "grain.tif", grain + np.linspace(0, 2**15 - 1, 900).astype(np.uint16))
    apart.start()

    def code() -> str | None:
        with apart.database() as database, database.read() as s:
            return next((wait.code for wait in overview(s).waiting if wait.code), None)

    apart.await_that(lambda: apart.rows() and code() == "no-space", "the wait for space")
    assert apart.made() == set()
    subprocess.run(["mount", "-o", "remount,size=50m", outbox], check=True)
    assert apart.saek("recover", "queue").returncode == 0
    apart.await_that(lambda: state_of(apart, "grain.tif") is FileState.DONE, "the file", 60)
    assert attempts(apart, "grain.tif") == [(JobState.DONE, 1)]
    assert apart.stop() == 0
    assert len(apart.made()) == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_work_goes_on_when_an_absent_broker_is_back(apart: Any) -> None:
    inbox = apart.settings.inbox_path
    assert apart.saek("db", "upgrade").returncode == 0
    broker = part(apart, "broker")
    others = [part(apart, name) for name in ("dispatch", "worker", "ingest")]
    try:
        drop(inbox, "a.tif")
        await_that(apart, lambda: state_of(apart, "a.tif") is FileState.DONE, "the first file")
        with broker_client(apart.settings) as client, contextlib.suppress(redis.ConnectionError):
            client.shutdown(nosave=True)
        broker.wait(20)
        drop(inbox, "b.tif")
        await_that(apart, lambda: "dispatch" in waits_of(apart), "the dispatcher's wait")
        (told_of,) = told(apart, "status")["parts_waiting"]
        assert (told_of["part"], told_of["code"]) == ("dispatch", "broker-unavailable")
        await_that(apart, lambda: state_of(apart, "b.tif") is FileState.QUEUED, "the second file's job")
        time.sleep(6)
        broker = part(apart, "broker")
        await_that(apart, lambda: state_of(apart, "b.tif") is FileState.DONE, "the second file")
        assert attempts(apart, "b.tif") == [(JobState.DONE, 1)]
        assert waits_of(apart) == set()
    finally:
        for process in (*others, broker):
            process.terminate()
        for process in (*others, broker):
            process.wait(60)


def part(station: Any, name: str) -> "subprocess.Popen[bytes]":
    with station.log.open("ab") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "worker", name],
            env=os.environ | {"SAEK_HOME": str(station.settings.home)},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )


def state_of(station: Any, name: str) -> FileState | None:
    row = station.rows().get(name)
    return None if row is None else row.state


def waits_of(station: Any) -> set[str]:
    return {wait.part for wait in waiting_parts(station.settings)}


def relayed(url: str) -> tuple[Relay, str]:
    """Return a way to a PostgreSQL server that can be cut and healed, and the address that takes it."""
    address = make_url(url)
    host = address.host or str(address.query.get("host", "127.0.0.1"))
    port = address.port or int(str(address.query.get("port", 5432)))
    relay = Relay(Path(host) / f".s.PGSQL.{port}" if host.startswith("/") else (host, port))
    query = {name: value for name, value in address.query.items() if name != "host"}
    there = address.set(host="127.0.0.1", port=relay.port, query=query)
    return relay, there.render_as_string(hide_password=False)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_a_database_away_beyond_a_lease_costs_no_attempt(apart: Any, new_postgres: Callable[[], str]) -> None:
    url = new_postgres()
    upgrade(url)
    wire, address = relayed(url)
    toml = apart.settings.home / "saek.toml"
    toml.write_text(toml.read_text() + f'database_url = "{address}"\n')
    toml.chmod(0o600)
    apart.settings = load_settings(home=apart.settings.home)
    tifffile.imwrite(apart.settings.inbox_path / "plate.tif", np.tile(data.camera(), (9, 9)))
    apart.start()
    apart.await_that(lambda: state_of(apart, "plate.tif") is FileState.RUNNING, "the work")
    wire.cut()
    drop(apart.settings.inbox_path, "meanwhile.tif")
    apart.await_that(lambda: {"dispatch", "ingest"} <= waits_of(apart), "the parts' waits", 40)
    time.sleep(3 * apart.settings.lease_seconds)
    assert apart.saek("status").returncode == 4
    wire.heal()
    names = ("plate.tif", "meanwhile.tif")
    apart.await_that(
        lambda: all(state_of(apart, name) is FileState.DONE for name in names), "the end of both files"
    )
    assert [attempts(apart, name) for name in names] == [[(JobState.DONE, 1)]] * 2
    assert begun(apart) == 2
    apart.await_that(lambda: not waits_of(apart), "the end of all waits", 20)
    assert apart.stop() == 0
    assert len(apart.made()) == 2
    wire.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_broker_whose_disk_is_full_is_waited_for(apart: Any, mount: Callable[..., None]) -> None:
    broker = apart.settings.broker_data_path
    broker.mkdir(mode=0o700)
    mount(broker, "1m")
    apart.start()
    drop(apart.settings.inbox_path, "a.tif")
    apart.await_that(lambda: state_of(apart, "a.tif") is FileState.DONE, "the first file")
    with contextlib.suppress(OSError), (broker / "full").open("wb", buffering=0) as full:
        while True:
            full.write(bytes(4096))
    client = broker_client(apart.settings)
    with contextlib.suppress(redis.RedisError):
        for number in range(2000):
            client.set("saek:filling", str(number) * 1000)
    drop(apart.settings.inbox_path, "b.tif")
    apart.await_that(lambda: "dispatch" in waits_of(apart), "the dispatcher's wait", 40)
    time.sleep(3)
    (broker / "full").unlink()
    apart.await_that(lambda: state_of(apart, "b.tif") is FileState.DONE, "the second file", 90)
    assert attempts(apart, "b.tif") == [(JobState.DONE, 1)]
    client.close()
    assert apart.stop() == 0
