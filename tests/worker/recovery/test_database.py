"""Recovery of a lost record from sidecars."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from db.catalog.files import list_files
from db.core.engine import Database
from db.core.schema import Base
from db.vocabulary import FileState
from restoration import OutputUnavailable
from worker.outbox.sidecars import sidecar_path
from worker.recovery.database import record_for_recovery, recover_database
from worker.recovery.report import RecoveryReport, UnusableFile
from worker.settings import Settings

Made = Callable[..., tuple[int, Path]]


class Told:
    """A listener that keeps what it was told."""

    def __init__(self) -> None:
        self.findings: list[UnusableFile] = []

    def __call__(self, _: RecoveryReport, finding: UnusableFile | None) -> None:
        if finding is not None:
            self.findings.append(finding)


def recover(
    database: Database, outbox: Path, *, verify: bool = True, dry_run: bool = False
) -> RecoveryReport:
    told = Told()
    report = recover_database(database, outbox, told, verify=verify, dry_run=dry_run)
    assert report.findings == told.findings
    return report


@pytest.fixture
def new_record(settings: Settings, database: Database, made: Made) -> Callable[[], Database]:
    """Forget the record of the station and return a new one."""

    def new_record() -> Database:
        database.dispose()
        for path in settings.home.glob("saek.db*"):
            path.unlink()
        return record_for_recovery(settings)

    return new_record


def done(database: Database) -> list[str]:
    with database.read() as s:
        return sorted(row.display for row in list_files(s) if row.state is FileState.DONE)


NAMES = ["a.tif", "마을/b.tif", "마을/c.tif"]


def test_everything_comes_back_once(
    settings: Settings, made: Made, new_record: Callable[[], Database]
) -> None:
    for name in NAMES:
        made(name)
    database = new_record()
    report = recover(database, settings.outbox_path)
    assert (report.read, report.entered.derivatives, report.troubles) == (3, 3, 0)
    assert done(database) == NAMES
    again = recover(database, settings.outbox_path)
    assert (again.known, again.entered.derivatives, again.entered.scans) == (3, 0, 0)
    database.dispose()


def test_a_dry_run_counts_and_writes_nothing(
    settings: Settings, made: Made, new_record: Callable[[], Database]
) -> None:
    made("a.tif")
    database = new_record()
    assert recover(database, settings.outbox_path, dry_run=True).entered.derivatives == 1
    assert done(database) == []
    recover(database, settings.outbox_path)
    assert recover(database, settings.outbox_path, dry_run=True).entered.derivatives == 0
    database.dispose()


def test_a_copy_of_the_outbox_will_do(
    settings: Settings, made: Made, new_record: Callable[[], Database], tmp_path: Path
) -> None:
    _, derivative = made("마을/b.tif")
    shutil.copytree(settings.outbox_path, tmp_path / "backup")
    shutil.rmtree(settings.outbox_path)
    database = new_record()
    recover(database, tmp_path / "backup")
    with database.read() as s:
        (row,) = list_files(s)
    assert row.derivative_path == os.fsencode(derivative.relative_to(settings.outbox_path))
    database.dispose()


def test_a_moved_derivative_is_recorded_at_its_new_path(
    settings: Settings, made: Made, new_record: Callable[[], Database]
) -> None:
    _, derivative = made("a.tif")
    (settings.outbox_path / "kept").mkdir()
    for path in (derivative, sidecar_path(derivative)):
        path.rename(settings.outbox_path / "kept" / path.name)
    database = new_record()
    recover(database, settings.outbox_path)
    with database.read() as s:
        (row,) = list_files(s)
    assert row.derivative_display == f"kept/{derivative.name}"
    database.dispose()


def test_what_is_damaged_is_told_by_name_and_all_else_is_entered(
    settings: Settings, made: Made, new_record: Callable[[], Database]
) -> None:
    names = ["changed", "shorter", "gone", "broken", "good"]
    made_of = {name: made(f"{name}.tif")[1] for name in names}
    content = made_of["changed"].read_bytes()
    made_of["changed"].write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    made_of["shorter"].write_bytes(content[:-1])
    made_of["gone"].unlink()
    sidecar_path(made_of["broken"]).write_text("{")
    database = new_record()
    report = recover(database, settings.outbox_path)
    assert done(database) == ["good.tif"]
    told = {finding.display: finding for finding in report.findings}
    assert set(told) == {f"{made_of[name].name}.json" for name in names if name != "good"}
    assert "another checksum" in told[f"{made_of['changed'].name}.json"].reason
    assert "bytes" in told[f"{made_of['shorter'].name}.json"].reason
    assert "cannot be read" in told[f"{made_of['gone'].name}.json"].reason
    assert all(finding.remedy for finding in report.findings)
    assert recover(database, settings.outbox_path, verify=False).entered.derivatives == 1
    assert done(database) == ["changed.tif", "good.tif"]
    database.dispose()


def test_other_files_in_the_outbox_are_passed_over(
    settings: Settings, made: Made, new_record: Callable[[], Database]
) -> None:
    _, derivative = made("a.tif")
    outbox = settings.outbox_path
    (outbox / "list.json").write_text("{}")
    (outbox / ".hidden.tif.json").write_text("{")
    (outbox / "foreign.tif").write_bytes(b"II*\0")
    (outbox / "link.tif").symlink_to(derivative)
    (outbox / "link").symlink_to(outbox)
    database = new_record()
    report = recover(database, outbox)
    assert (report.read, report.troubles) == (1, 0)
    database.dispose()


def test_an_outbox_that_is_away_is_told(settings: Settings, database: Database) -> None:
    with pytest.raises(OutputUnavailable):
        recover(database, settings.outbox_path / "none")


def test_a_record_that_exists_is_opened_as_it_is(settings: Settings, database: Database) -> None:
    opened = record_for_recovery(settings)
    assert opened.url == database.url
    opened.dispose()
    assert Base.metadata.tables
