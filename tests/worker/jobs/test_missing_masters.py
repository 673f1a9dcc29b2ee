"""Jobs whose master is missing or whose inbox is away."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from db.core import Database
from db.core.schema import Job
from db.vocabulary import JobState
from restoration import Limits
from worker.inbox.intake import register_file
from worker.inbox.rescan import rescan
from worker.jobs import tasks
from worker.jobs.context import JobContext
from worker.settings import Settings
from worker.storage.mounts import INBOX_MARK


@pytest.fixture
def when_the_work_begins(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has something happen after the job was claimed and before its master is opened."""

    def when_the_work_begins(happens: Callable[[], object]) -> None:
        opened = tasks.open_model

        def open_model(*words: Any, **options: Any) -> Any:
            happens()
            return opened(*words, **options)

        monkeypatch.setattr(tasks, "open_model", open_model)

    return when_the_work_begins


def job_state(database: Database) -> tuple[JobState, str | None, int]:
    with database.read() as s:
        found = s.execute(select(Job.state, Job.failure_code, Job.attempts)).one()
    return found.state, found.failure_code, found.attempts


def test_an_inbox_unmounted_as_work_begins_is_waited_for(
    context: JobContext,
    job: int,
    database: Database,
    settings: Settings,
    when_the_work_begins: Callable[..., None],
) -> None:
    (settings.inbox_path / INBOX_MARK).touch()
    aside = settings.home / "aside"

    def unmount() -> None:
        settings.inbox_path.rename(aside)
        settings.inbox_path.mkdir()

    when_the_work_begins(unmount)
    tasks.run_job(context, job)
    assert job_state(database) == (JobState.QUEUED, "master-unavailable", 0)


def test_a_missing_file_is_queued_again_when_it_is_back(
    context: JobContext,
    job: int,
    database: Database,
    settings: Settings,
    when_the_work_begins: Callable[..., None],
    tmp_path: Path,
) -> None:
    """Also if no rescan came by meanwhile, which would have noted it as gone."""
    (settings.inbox_path / "other.txt").write_text("the inbox is there")
    master, aside = settings.inbox_path / "a.tif", tmp_path / "aside.tif"
    when_the_work_begins(partial(master.rename, aside))
    tasks.run_job(context, job)
    assert job_state(database) == (JobState.FAILED, "missing-file", 1)
    aside.rename(master)
    (back,) = [
        entry.path for step in rescan(database, settings) for entry in step.new if entry.path == b"a.tif"
    ]
    register_file(database, settings.inbox_path, back, None, Limits())
    assert job_state(database)[0] is JobState.QUEUED
