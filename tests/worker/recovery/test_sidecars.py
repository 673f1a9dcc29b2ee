"""Recovery of lost and broken sidecars from the record."""

from collections.abc import Callable
from pathlib import Path

from db.core.engine import Database
from worker.outbox.sidecars import read_sidecar_file, sidecar_path
from worker.recovery.report import RecoveryReport, UnusableFile
from worker.recovery.sidecars import recover_sidecars
from worker.settings import Settings

Made = Callable[..., tuple[int, Path]]


def test_lost_and_broken_sidecars_are_written_again(
    settings: Settings, database: Database, made: Made
) -> None:
    lost, broken, good, gone = (made(f"{name}.tif")[1] for name in ("lost", "broken", "good", "gone"))
    sidecar_path(lost).unlink()
    sidecar_path(broken).write_text("{")
    gone.unlink()
    before = sidecar_path(good).read_bytes()
    findings: list[UnusableFile] = []

    def told(_: RecoveryReport, finding: UnusableFile | None) -> None:
        if finding is not None:
            findings.append(finding)

    planned = recover_sidecars(database, settings.outbox_path, told, dry_run=True)
    assert (planned.written, planned.known) == (2, 1)
    assert not sidecar_path(lost).exists()
    report = recover_sidecars(database, settings.outbox_path, told)
    assert (report.written, report.known, report.troubles) == (2, 1, 1)
    assert [finding.display for finding in findings] == [gone.name] * 2
    for path in (lost, broken):
        read_sidecar_file(sidecar_path(path))
    assert sidecar_path(good).read_bytes() == before
    assert recover_sidecars(database, settings.outbox_path, told).written == 0
