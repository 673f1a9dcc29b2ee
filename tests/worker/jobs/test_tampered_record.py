"""A tampered record leads to no file outside of inbox and outbox."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from db.core import Database
from db.core.schema import Job, Scan, Sighting
from db.vocabulary import JobState
from worker.jobs.context import JobContext
from worker.jobs.tasks import run_job
from worker.settings import Settings


@pytest.fixture
def tamper(database: Database) -> Callable[..., None]:
    def tamper(table: type[Any], **values: object) -> None:
        with database.begin() as s:
            s.execute(update(table).values(**values))

    return tamper


def job_state(database: Database) -> tuple[JobState, str | None]:
    with database.read() as s:
        found = s.execute(select(Job.state, Job.failure_code)).one()
    return found.state, found.failure_code


def everything(folder: Path) -> set[Path]:
    """All files but those that a station keeps for itself."""
    own = {"places.json", ".saek-outbox"}
    return {
        path
        for path in folder.rglob("*")
        if path.is_file() and "saek.db" not in path.name and path.name not in own
    }


@pytest.mark.parametrize(
    "path", [b"../secret.tif", b"/etc/passwd", b"x/../../secret.tif", b"a\0.tif", b"link/secret.tif"]
)
def test_a_master_outside_of_the_inbox_is_never_opened(
    context: JobContext,
    job: int,
    database: Database,
    settings: Settings,
    tamper: Callable[..., None],
    path: bytes,
) -> None:
    (settings.home / "secret.tif").write_bytes((settings.inbox_path / "a.tif").read_bytes())
    (settings.inbox_path / "link").symlink_to(settings.home)
    tamper(Sighting, path=path)
    before = everything(settings.home)
    run_job(context, job)
    assert job_state(database) == (JobState.FAILED, "leads-out")
    assert everything(settings.home) == before


def test_a_checksum_that_would_name_another_folder_is_refused(
    context: JobContext, job: int, database: Database, settings: Settings, tamper: Callable[..., None]
) -> None:
    tamper(Scan, sha256="/../../x" + "0" * 56)
    before = everything(settings.home)
    run_job(context, job)
    assert job_state(database) == (JobState.FAILED, "leads-out")
    assert everything(settings.home) == before


def test_a_linked_outbox_folder_is_not_written_through(
    context: JobContext,
    job: int,
    database: Database,
    settings: Settings,
    tamper: Callable[..., None],
    tmp_path: Path,
) -> None:
    (settings.inbox_path / "1950").mkdir()
    (settings.inbox_path / "a.tif").rename(settings.inbox_path / "1950" / "a.tif")
    tamper(Sighting, path=b"1950/a.tif")
    (tmp_path / "elsewhere").mkdir()
    (settings.outbox_path / "1950").symlink_to(tmp_path / "elsewhere")
    run_job(context, job)
    assert job_state(database)[0] is JobState.QUEUED
    assert list((tmp_path / "elsewhere").iterdir()) == []
