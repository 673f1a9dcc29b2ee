"""Networks that swallow, hold back or cut what the parts and their servers send each other."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hosts import Distributed
from patience import await_that
from reckoning import reckon
from skimage import data
from sqlalchemy import select

from db.catalog.files import list_files
from db.core.schema import Job
from db.vocabulary import FileState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LEASE = 4.0
"""As `hosts` sets it."""


class Pair(Distributed):
    """Two workers; the second one is held back until it is wanted."""

    parts = ("dispatch", "worker", "worker2", "ingest")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Pair]:
    host = Pair(tmp_path)
    host.hold("worker2", kill=False)
    host.open()
    yield host
    host.close()


def ends(host: Pair) -> int:
    with host.database() as database, database.read() as s:
        return sum(row.state is FileState.DONE for row in list_files(s))


def job(host: Pair) -> Any:
    columns = Job.state, Job.lease_token, Job.attempts, Job.progress_done
    with host.database() as database, database.read() as s:
        return s.execute(select(*columns)).one_or_none()


def drop_small(host: Pair, numbers: range) -> None:
    for number in numbers:
        picture = np.roll(data.camera(), 31 * number, axis=1)[:200, :240]
        tifffile.imwrite(host.inbox / f"{number}.tif", picture)


def drop_large(host: Pair) -> None:
    tifffile.imwrite(host.inbox / "large.tif", np.tile(data.camera(), (12, 12)))


def wrong(host: Pair, names: list[str], most_executions: int) -> tuple[str, ...]:
    host.drain()
    with host.database() as database:
        return reckon(database, host.outbox, dict.fromkeys(names, "done"), most_executions).wrong


def test_a_worker_cut_off_overwrites_nothing_of_its_successor(host: Pair) -> None:
    drop_large(host)
    await_that(host, lambda: (found := job(host)) and found.progress_done, "work on it")
    host.relays["worker", "database"].swallow()
    host.let_go("worker2")

    await_that(host, lambda: ends(host) == 1, "the end of it by the other worker")
    assert job(host).lease_token == 2
    host.relays["worker", "database"].heal()

    lost = "the lease was lost; the work is dropped"
    await_that(host, lambda: lost in host.log.read_text(), "the first worker's giving up", 30)
    assert wrong(host, ["large.tif"], most_executions=2) == ()


@pytest.mark.parametrize("server", ["database", "broker"])
@pytest.mark.parametrize("harm", ["swallow", "stall", "cut"])
def test_all_parts_go_on_soon_after_their_server_is_back(host: Pair, server: str, harm: str) -> None:
    drop_small(host, range(8))
    await_that(host, lambda: ends(host) > 0, "the first end")
    ways = [relay for (_, name), relay in host.relays.items() if name == server]
    for way in ways:
        getattr(way, harm)()
    drop_small(host, range(8, 12))
    time.sleep(2.5 * LEASE)
    before = ends(host)
    for way in ways:
        way.heal()

    goes_on = await_that(host, lambda: ends(host) > before, "an end after it", 40)
    await_that(host, lambda: ends(host) == 12, "the end of all")

    assert before < 12
    assert goes_on < 25
    # What was claimed when the network went is begun again, once.
    assert wrong(host, [f"{number}.tif" for number in range(12)], most_executions=2) == ()
    print(f"\n{server} {harm}: goes on after {goes_on:.1f} s")  # noqa: T201


def test_parts_cut_off_from_everything_stop_when_told(host: Pair) -> None:
    drop_large(host)
    await_that(host, lambda: (found := job(host)) and found.progress_done, "work on it")
    for relay in host.relays.values():
        relay.swallow()
    time.sleep(LEASE)

    began = time.monotonic()
    host.drain()  # within a minute, each

    assert time.monotonic() - began < 60
    for relay in host.relays.values():
        relay.heal()
    assert job(host).attempts == 1


def test_a_slow_network_is_only_slow(host: Pair) -> None:
    for relay in host.relays.values():
        relay.delay(0.05)
    drop_small(host, range(4))

    await_that(host, lambda: ends(host) == 4, "the end of all")

    assert wrong(host, [f"{number}.tif" for number in range(4)], most_executions=1) == ()
