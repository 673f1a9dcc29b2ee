"""Both databases, and an archive that fills them."""

import datetime as dt
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.catalog.recipes import ensure_recipe
from db.catalog.sightings import known_sightings
from db.core.engine import Database, open_database
from db.core.schema import Base, Event, Job
from db.migrations import runner
from db.queue.intake import Registered, register
from db.queue.jobs import claim
from db.queue.leases import Lease
from db.queue.publishing import unpublished
from db.values import KnownSighting, NewDerivative, NewScan, NewSighting, Problem
from db.vocabulary import EventType, JobState, Lane

T0 = dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.UTC)
LEASE = dt.timedelta(minutes=2)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.sqlite3"
    return request.getfixturevalue("new_postgres")()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "saek.sqlite3"
    runner.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(request: pytest.FixtureRequest) -> str:
    url = request.getfixturevalue("new_postgres")()
    runner.upgrade(url)
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with this release's tables, all empty."""
    if request.param == "sqlite":
        path = tmp_path / "saek.sqlite3"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    url = request.getfixturevalue("migrated_postgres")
    administer: Callable[..., None] = request.getfixturevalue("administer")
    tables = Base.metadata.sorted_tables
    append_only = ("agent", "event", "seal")
    counters = [table.name for table in tables if "id" in table.c and table.name != "seal"]
    reset = [
        *(f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in append_only),
        *(f'DELETE FROM "{table.name}"' for table in reversed(tables)),
        *(f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in append_only),
        *(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), 1, false)" for name in counters),
    ]
    administer(url, "; ".join(reset))
    return url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.dispose()


@pytest.fixture
def archive(database: Database, derivative_record: Callable[..., NewDerivative]) -> "Archive":
    return Archive(database, derivative_record)


@dataclass(slots=True)
class Archive:
    """An archive that puts files into the inbox and works on them, with a clock of its own."""

    database: Database
    derivative_record: Callable[..., NewDerivative]
    now: dt.datetime = T0

    def wait(self, **duration: float) -> dt.datetime:
        self.now += dt.timedelta(**duration)
        return self.now

    def seen(self, name: str = "a.tif", **changes: object) -> NewSighting:
        path = name.encode("utf-8", "surrogateescape")
        display = path.decode("utf-8", "backslashreplace")
        collection = display.rpartition("/")[0]
        return replace(NewSighting("inbox", path, display, collection, 1000, 1, 7), **changes)

    def content(self, content: str = "a") -> NewScan:
        return NewScan(
            sha256=hashlib.sha256(content.encode()).hexdigest(),
            bytes=1000,
            format="tiff",
            width=2000,
            height=1500,
            bands=1,
            bit_depth=16,
            orientation=1,
            dpi=600.0,
            facts={"compression": "lzw"},
        )

    def recipe(self, strength: float = 1.0) -> int:
        with self.database.begin() as s:
            return ensure_recipe(
                s,
                f"{int(strength * 100):064x}",
                {"strength": strength},
                model_name="archive-1",
                weights_sha256="e" * 64,
                card={"steps": 1000},
                now=self.now,
            )

    def drop(
        self, name: str = "a.tif", content: str = "a", *, lane: Lane = Lane.INTERACTIVE, job: bool = True
    ) -> Registered:
        recipe = self.recipe() if job else None
        with self.database.begin() as s:
            return register(s, self.seen(name), self.content(content), recipe, lane, now=self.now)

    def claim(self, job_id: int | None, owner: str = "worker-1") -> Lease | None:
        assert job_id is not None
        with self.database.begin() as s:
            return claim(s, job_id, owner, LEASE, now=self.now)

    def work_on(self, name: str = "a.tif", content: str = "a", owner: str = "worker-1") -> Lease:
        lease = self.claim(self.drop(name, content).job_id, owner)
        assert lease is not None
        return lease

    def to_send(self, limit: int = 100) -> list[int]:
        """Return the jobs that are to be sent now; those sent ten minutes ago are sent again."""
        again = dt.timedelta(minutes=10)
        with self.database.read() as s:
            return [job_id for lane in Lane for job_id in unpublished(s, lane, limit, again, now=self.now)]

    def derivative(self, name: str = "a.color.tif", **changes: object) -> NewDerivative:
        return self.derivative_record(name, **changes)

    def problem(self, code: str = "truncated-image") -> Problem:
        return Problem(code, f"because of {code}", "copy it again")

    def job(self, job_id: int) -> Job:
        """Return a job as it is on record."""
        with self.database.read() as s:
            return s.scalars(select(Job).where(Job.id == job_id)).one()

    def known(self, name: str) -> KnownSighting:
        """Return what the record knows of the file with this name."""
        with self.database.read() as s:
            (known,) = known_sightings(s, "inbox", [hashlib.sha256(name.encode()).digest()])
            return known

    def count(self, table: type[Base], *conditions: object) -> int:
        with self.database.read() as s:
            return s.scalars(select(func.count()).select_from(table).where(*conditions)).one()

    def happened(self, **of: int) -> list[str]:
        """Return the types of events in order, and for job state changes the new state."""
        with self.database.read() as s:
            events = s.execute(select(Event.type, Event.detail).filter_by(**of).order_by(Event.id)).all()
        return [
            f"job {detail['to']}" if kind is EventType.JOB_STATE_CHANGE else str(kind)
            for kind, detail in events
        ]

    def state(self, job_id: int | None) -> JobState:
        assert job_id is not None
        return self.job(job_id).state
