"""The clock of a host with SQLite is set forward and back by an hour while the station works."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hosts import Embedded
from patience import await_that
from reckoning import reckon
from skimage import data
from sqlalchemy import select

from db.catalog.files import list_files
from db.core.schema import Event, Job
from db.vocabulary import EventType, FileState, JobState

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

HOUR = 3600.0
LEASE = 4.0
"""As `hosts` sets it."""
TURNED = Path(__file__).with_name("turned")


class Turned(Embedded):
    """A host whose clock can be set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._offset = folder / "offset"
        self.set(0.0)
        beside = os.environ.get("PYTHONPATH", "")
        self.environment |= {
            "PYTHONPATH": f"{TURNED}{os.pathsep}{beside}",
            "TURNED_CLOCK": str(self._offset),
        }

    def set(self, seconds: float) -> None:
        """Set the clock so far off, at once for all parts."""
        draft = self.folder / "offset.draft"
        draft.write_text(str(seconds))
        draft.replace(self._offset)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Turned]:
    host = Turned(tmp_path)
    host.open()
    yield host
    host.close()


def jobs(host: Turned) -> list[Job]:
    with host.database() as database, database.read() as s:
        return list(s.scalars(select(Job).order_by(Job.id)))


def working(host: Turned) -> bool:
    """Whether both children are past the reading of their scans."""
    found = [job for job in jobs(host) if job.state is JobState.RUNNING]
    return len(found) == 2 and all(job.progress_done for job in found)


def all_done(host: Turned, count: int) -> bool:
    with host.database() as database, database.read() as s:
        return [row.state for row in list_files(s)] == [FileState.DONE] * count


def drop(host: Turned, count: int) -> list[str]:
    large = np.tile(data.camera(), (11, 11))
    for number in range(count):
        tifffile.imwrite(host.inbox / f"{number}.tif", np.roll(large, 99 * number, axis=0))
    return [f"{number}.tif" for number in range(count)]


def executions(host: Turned) -> int:
    with host.database() as database, database.read() as s:
        changes = s.scalars(select(Event.detail).where(Event.type == EventType.JOB_STATE_CHANGE)).all()
    return sum(change["to"] == "running" for change in changes)


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_work_under_way_does_not_notice_that_the_clock_jumps(host: Turned, jump: float) -> None:
    names = drop(host, 3)
    await_that(host, lambda: working(host), "work on two")
    host.set(jump)
    await_that(host, lambda: all_done(host, 3), "the end of all")

    assert [job.attempts for job in jobs(host)] == [1, 1, 1]
    assert executions(host) == 3
    moved = [job.finished_at.timestamp() - time.time() for job in jobs(host)]
    assert all(abs(off - jump) < 300 for off in moved), "the parts did go by the other clock"
    host.drain()
    with host.database() as database:
        assert reckon(database, host.outbox, dict.fromkeys(names, "done"), 1).wrong == ()


def test_a_dead_workers_job_is_taken_over_with_the_clock_back(host: Turned) -> None:
    drop(host, 2)
    await_that(host, lambda: working(host), "work on both")
    began = time.monotonic()
    host.set(-HOUR)
    host.kill("worker")

    await_that(host, lambda: all_done(host, 2), "the end of both, within minutes and not after an hour")

    assert [job.attempts for job in jobs(host)] == [2, 2]
    assert time.monotonic() - began < 110
