"""The recovery of missing or broken sidecars from the record."""

import stat
from pathlib import Path

from sqlalchemy.orm import Session

from db.catalog import DerivativeName, NamedDerivative, recorded_derivatives
from db.core import Database
from restoration import MasterError, OutputUnavailable
from worker.outbox.paths import OUTBOX
from worker.outbox.sidecars import describes, sidecar_path, write_sidecar
from worker.recovery.report import RecoveryListener, RecoveryLog, RecoveryReport
from worker.storage.recorded_paths import PathEscapes, derivative_path


def recover_sidecars(
    database: Database, outbox: Path, listener: RecoveryListener, *, dry_run: bool = False
) -> RecoveryReport:
    """Write the missing and broken sidecars for all names that derivatives on record have in `outbox`.

    Raises:
        NoSpace: a sidecar cannot be written.
    """
    log = RecoveryLog(listener)
    with database.read() as s:
        for derivative in recorded_derivatives(s):
            for name in derivative.names:
                log.report.read += 1
                try:
                    _recover_sidecar(s, derivative, name, _path(outbox, name), log, dry_run=dry_run)
                except (MasterError, OutputUnavailable) as error:
                    log.unusable(name.display, error.reason, error.remedy)
                log.step()
    return log.report


def _path(outbox: Path, name: DerivativeName) -> Path:
    """Return the path of a derivative. Raises PathEscapes, PathTooLong, OutputUnavailable."""
    if name.root != OUTBOX:
        raise PathEscapes(
            reason=f"the record names a root {name.root!r} for it, which is not one of Saek's",
            remedy="the record was tampered with or is damaged: compare it with a backup",
        )
    return derivative_path(outbox, name.path)


def _recover_sidecar(
    s: Session,
    derivative: NamedDerivative,
    name: DerivativeName,
    path: Path,
    log: RecoveryLog,
    *,
    dry_run: bool,
) -> None:
    try:
        status = path.lstat()
    except OSError as error:
        log.unusable(
            name.display,
            f"the derivative is not there ({error.strerror})",
            "restore it from a backup; saek status names its scan",
        )
        return
    if not stat.S_ISREG(status.st_mode):
        log.unusable(name.display, "it is not a regular file", "restore it from a backup")
        return
    if status.st_size != derivative.bytes:
        log.unusable(
            name.display,
            f"the derivative has {status.st_size:,} bytes, {derivative.bytes:,} are on record",
            "restore it from a backup",
        )
        return
    if describes(sidecar_path(path), derivative.sha256):
        log.report.known += 1
        return
    if not dry_run:
        write_sidecar(s, derivative.job_id, path)
    log.report.written += 1
