import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from sqlalchemy import select

from db.catalog.recipes import ensure_recipe
from db.core import Database, open_database
from db.core.schema import Job
from db.migrations.runner import upgrade
from db.queue.intake import register
from db.values import NewDerivative, NewScan, NewSighting
from db.vocabulary import Lane
from restoration import Limits, recipe_for
from worker.inbox.intake import register_file
from worker.jobs.leases import claimed_job
from worker.models.library import library_from
from worker.outbox.paths import derivative_names, work_draft
from worker.outbox.sidecars import publish_with_sidecar
from worker.recipe_registration import record_recipe
from worker.recipes import recipe_from
from worker.settings import Settings, load_settings
from worker.storage.home import prepare_home

if TYPE_CHECKING:
    from worker.jobs.context import JobContext


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a station in an empty home, whose folders exist."""
    monkeypatch.setenv("SAEK_HOME", str(tmp_path / "home"))
    settings = load_settings()
    prepare_home(settings)
    return settings


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is not installed, `mine`, in one file: the shipped one stored in int8."""
    from safetensors.torch import save_file  # noqa: PLC0415  (few tests need torch)

    from restoration.generators.models import Storage, load_weights, model_card  # noqa: PLC0415
    from restoration.generators.models.import_card import card_metadata  # noqa: PLC0415
    from restoration.generators.models.torch_weights import pack_weights  # noqa: PLC0415

    shipped = model_card("archive-1")
    facts = {**shipped.entries(), "name": "mine", "summary": "The shipped one in fewer bits."}
    for entry in ("file", "weights", "bytes", "default"):
        del facts[entry]
    path = tmp_path_factory.mktemp("offered") / "mine.safetensors"
    save_file(pack_weights(load_weights(shipped), Storage.INT8), path, card_metadata(facts))
    return path


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The record of that station, empty."""
    upgrade(settings.database_address())
    database = open_database(settings.database_address())
    yield database
    database.dispose()


@pytest.fixture
def recipe_id(database: Database) -> int:
    """The id of a recipe on record."""
    with database.begin() as s:
        return ensure_recipe(
            s, "f" * 64, {"model": "m"}, model_name="m", weights_sha256="0" * 64, card={"name": "m"}
        )


Queue = Callable[..., int]


@pytest.fixture
def queue_job(database: Database, recipe_id: int) -> Queue:
    """Register a file of the given name, with a content of its own, and return its job."""

    def queue_job(name: str, lane: Lane = Lane.INTERACTIVE) -> int:
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        seen = NewSighting("inbox", name.encode(), name, "", 10, 1, 1)
        with database.begin() as s:
            job = register(s, seen, NewScan(sha256, 10, "tiff", 64, 64, 1, 8, 1), recipe_id, lane).job_id
        assert job is not None
        return job

    return queue_job


Made = Callable[..., tuple[int, Path]]


@pytest.fixture
def made(database: Database, settings: Settings, derivative_record: Callable[..., NewDerivative]) -> Made:
    """Have a derivative of the named file made, as a worker records it; return its job and where it lies.

    The pixels are no picture: what is told of them here is their checksum.
    """
    recipe = recipe_for()
    with database.begin() as s:
        recipe_id = record_recipe(s, recipe, library_from(settings))

    def made(name: str) -> tuple[int, Path]:
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        seen = NewSighting("inbox", name.encode(), name, name.rpartition("/")[0], 10, 1, 1)
        with database.begin() as s:
            job = register(s, seen, NewScan(sha256, 10, "tiff", 64, 64, 1, 8, 1), recipe_id).job_id
        path, _ = derivative_names(name.encode(), sha256, recipe.fingerprint(), ".tif")
        final, content = settings.outbox_path / path.decode(), name.encode() * 100
        record = derivative_record(
            path.decode(),
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            weights_sha256=recipe.weights,
            facts={"model": recipe.model, "seconds": {"read": 0.1}},
        )
        assert job is not None
        with (
            claimed_job(database, job, "tester", settings, lambda: None) as held,
            work_draft(final, f"job{job}", 1) as unfinished,
        ):
            assert held is not None
            unfinished.write_bytes(content)
            held.finish(record, lambda s: publish_with_sidecar(s, job, unfinished, final))
        return job, final

    return made


@pytest.fixture
def context(settings: Settings, database: Database) -> Iterator["JobContext"]:
    """What jobs need that run in this process."""
    from worker.jobs.context import JobContext  # noqa: PLC0415  (few tests need what it imports)

    context = JobContext(settings.model_copy(update={"min_free_bytes": 0}))
    yield context
    context.database.dispose()


@pytest.fixture
def job(settings: Settings, database: Database) -> int:
    """A queued job for the master `a.tif`."""
    tifffile.imwrite(settings.inbox_path / "a.tif", np.full((40, 60), 90, np.uint8))
    with database.begin() as s:
        recipe = record_recipe(s, recipe_from(settings), library_from(settings))
    register_file(database, settings.inbox_path, b"a.tif", recipe, Limits())
    with database.read() as s:
        return s.scalars(select(Job.id)).one()
