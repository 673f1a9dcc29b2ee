"""SIGTERM in the midst of a large scan."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hosts import Embedded
from patience import await_that
from reckoning import reckon
from skimage import data
from sqlalchemy import select

from db.catalog.files import list_files
from db.core.schema import Derivative, Event, Job
from db.vocabulary import EventType, FileState, JobState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MEGAPIXELS = float(os.environ.get("SAEK_TEST_DRAIN_MEGAPIXELS", "100"))
DRAIN = 1.0
"""Seconds."""
BEGUN = 2_000_000
"""Bytes of a draft that is being written: some hundredths of the whole."""
GRACE = 15.0
"""Seconds that a station waits longer, before it kills."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Embedded]:
    host = Embedded(tmp_path)
    host.environment |= {
        "SAEK_CONCURRENCY": "1",
        "SAEK_LEASE_SECONDS": "60",
        "SAEK_DRAIN_SECONDS": str(DRAIN),
    }
    host.open()
    yield host
    host.close()


def drop(host: Embedded, name: str) -> None:
    side = int((MEGAPIXELS * 1e6) ** 0.5)
    tile = data.camera()
    times = side // tile.shape[0] + 1
    picture = np.tile(np.clip(tile, 8, 247), (times, times))[:side, :side]
    # What repeats is compressed in no time: grain makes the writing last.
    picture += np.random.default_rng(1).integers(0, 9, picture.shape, np.uint8)
    tifffile.imwrite(host.folder / name, picture)
    (host.folder / name).rename(host.inbox / name)


def job(host: Embedded) -> Any:
    with host.database() as database, database.read() as s:
        return s.scalars(select(Job)).one_or_none()


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def drafts(host: Embedded) -> list[Path]:
    return [path for path in host.outbox.rglob(".*") if path.name != ".saek-outbox"]


def test_sigterm_requeues_a_large_scan_for_the_next_worker(host: Embedded) -> None:
    drop(host, "large.tif")

    def writing() -> bool:
        found = job(host)
        assert found is None or found.state is not JobState.DONE, "the scan is too small for this machine"
        return any(size_of(path) > BEGUN for path in drafts(host))

    await_that(host, writing, "strips being written", 600)
    pid = host.pid("worker")
    host.hold("worker", kill=False)
    host.kill("worker", 15)
    stops = await_that(host, lambda: host.pid("worker") is None, "the worker's end", DRAIN + GRACE)

    # At once, not after the lease of a minute, and at no cost (decision 0009).
    put_back = job(host)
    assert put_back.state is JobState.QUEUED
    assert (put_back.attempts, put_back.lease_owner, put_back.not_before) == (0, None, None)
    assert put_back.wait_reason == "the worker shuts down"
    assert drafts(host) == []
    assert list(host.outbox.rglob("*.tif")) == []
    assert pid is not None
    assert not Path(f"/proc/{pid}").exists()

    host.let_go("worker")

    def done() -> bool:
        with host.database() as database, database.read() as s:
            return [row.state for row in list_files(s)] == [FileState.DONE]

    finishes = await_that(host, done, "the end by the next worker", 600)
    host.drain()
    with host.database() as database:
        with database.read() as s:
            made = s.execute(select(Derivative.luma_max_error, Derivative.width * Derivative.height)).one()
            begun = s.scalars(
                select(Event.id).where(
                    Event.type == EventType.JOB_STATE_CHANGE, Event.detail["to"].as_string() == "running"
                )
            ).all()
        told = reckon(database, host.outbox, {"large.tif": "done"}, 2)
    assert made[0] == 0
    assert job(host).attempts == 1
    assert len(begun) == 2
    assert told.wrong == ()
    assert drafts(host) == []
    print(f"\n{made[1] / 1e6:.0f} MP: stops after {stops:.1f} s, done {finishes:.1f} s later")  # noqa: T201
