"""A broker that answers but refuses writes: the parts wait with nothing kept open, and go on afterwards."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import tifffile
from skimage import data
from test_complaints import Parts, a_broker, states

from db.core.engine import open_database
from db.vocabulary import FileState
from worker.parts.wait_reporter import waiting_parts
from worker.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PARTS = ("ingest", "dispatch", "worker")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    broker = a_broker(tmp_path)
    made = Parts(tmp_path, broker.port)
    yield made
    made.end()
    with redis.Redis(port=made.port) as client:
        client.shutdown(nosave=True, now=True, force=True)


def refuse(client: redis.Redis, how: str) -> None:
    """Have the broker refuse writes, as it does when something is wrong with it."""
    match how:
        case "too few replicas":
            client.config_set("min-replicas-to-write", 1)
        case "memory is full":
            client.config_set("maxmemory", 1)
        case "it became a replica":
            client.replicaof("127.0.0.1", "1")


def allow(client: redis.Redis) -> None:
    client.replicaof("NO", "ONE")
    client.config_set("min-replicas-to-write", 0)
    client.config_set("maxmemory", 0)


def open_files(parts: Parts) -> dict[str, int]:
    return {name: len(list(Path(f"/proc/{parts.processes[name].pid}/fd").iterdir())) for name in PARTS}


def drop(parts: Parts, number: int) -> None:
    tifffile.imwrite(parts.inbox / f"{number}.tif", data.camera()[number : 300 + number, :300])


@pytest.mark.parametrize("how", ["too few replicas", "memory is full", "it became a replica"])
def test_parts_wait_for_a_broker_that_refuses_writes(parts: Parts, how: str) -> None:
    drop(parts, 0)
    parts.run(*PARTS)
    database = open_database(parts.database_url)
    settings = Settings(home=parts.home)
    parts.await_that(lambda: states(database) == [FileState.DONE], "the end of the first")

    with redis.Redis(port=parts.port) as client:
        refuse(client, how)
        drop(parts, 1)
        parts.await_that(lambda: len(states(database)) == 2, "that the second is known")
        parts.await_that(lambda: waiting_parts(settings), "that a part tells what it waits for", 30)
        time.sleep(3)
        before = open_files(parts)
        time.sleep(12)
        after = open_files(parts)
        told = {wait.code for wait in waiting_parts(settings)}
        reasons = [wait.reason for wait in waiting_parts(settings)]
        allow(client)

    parts.await_that(lambda: states(database) == [FileState.DONE] * 2, "the end of the second", 40)
    database.dispose()
    assert all(after[name] <= before[name] + 4 for name in PARTS), (before, after)
    assert told == {"broker-unavailable"}
    assert all("refuses" in reason for reason in reasons), reasons
    assert all(process.poll() is None for process in parts.processes.values())
    parts.await_that(lambda: not waiting_parts(settings), "that nothing is waited for any more", 30)


def test_a_worker_stops_while_its_broker_refuses_writes(parts: Parts) -> None:
    parts.run("worker")
    parts.await_that(lambda: "ready" in parts.log.read_text(), "a worker")
    with redis.Redis(port=parts.port) as client:
        refuse(client, "too few replicas")
        parts.await_that(lambda: "refuses" in parts.log.read_text(), "the refusal", 30)
        time.sleep(4)
        parts.processes["worker"].terminate()
        began = time.monotonic()
        code = parts.processes["worker"].wait(30)
        allow(client)
    assert code == 0
    assert time.monotonic() - began < 15
