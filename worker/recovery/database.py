"""The recovery of a lost record from the sidecars in an outbox."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from db.catalog import AddedRows, DerivativeName, Sidecar, SidecarStatus, enter_sidecar, sidecar_status
from db.core import Database, current_revision, open_database, require_current
from db.errors import BrokenSidecar, RecipeConflict
from db.migrations import upgrade
from restoration import MasterError, OutputFormat, OutputUnavailable, read_disclosure
from worker.outbox.paths import OUTBOX
from worker.outbox.sidecars import SIDECAR_SUFFIX, read_sidecar_file, sidecar_path
from worker.printable import display_path
from worker.recovery.report import RecoveryListener, RecoveryLog, RecoveryReport
from worker.settings import Settings
from worker.storage.ignored_names import ignored_folder
from worker.storage.recorded_paths import derivative_path

_BATCH: Final = 50
_PICTURES: Final = tuple(fmt.suffix.encode() for fmt in OutputFormat)
_SIDECARS: Final = tuple(suffix + SIDECAR_SUFFIX.encode() for suffix in _PICTURES)


@dataclass(frozen=True, slots=True)
class _UsableSidecar:
    """A sidecar that may be entered."""

    name: DerivativeName
    linked: bool
    sidecar: Sidecar
    evidence: dict[str, object]
    status: SidecarStatus


def record_for_recovery(settings: Settings) -> Database:
    """Return the record, with tables if it has none yet.

    Raises:
        db.errors.SchemaOutOfDate: the tables are those of another release.
        db.errors.DatabaseUnavailable: it cannot be reached.
    """
    url = settings.database_address()
    if settings.database_url is None:
        settings.home.mkdir(mode=0o755, parents=True, exist_ok=True)
    if current_revision(url) is None:
        upgrade(url)
    require_current(url)
    return open_database(url)


def recover_database(
    database: Database,
    outbox: Path,
    listener: RecoveryListener,
    *,
    verify: bool = True,
    dry_run: bool = False,
) -> RecoveryReport:
    """Enter what the sidecars below `outbox` contain and the record lacks.

    `verify` reads each derivative whose sidecar is new and compares its checksum; otherwise only its size is
    compared. A dry run counts the derivatives that would be entered and writes nothing.

    Raises:
        OutputUnavailable: the folder itself cannot be read. A folder below it is reported.
    """
    log = RecoveryLog(listener)
    batch: list[_UsableSidecar] = []
    planned: set[bytes] = set()
    for path in _pictures_and_sidecars(outbox, log):
        if not path.endswith(SIDECAR_SUFFIX.encode()):
            _report_missing_sidecar(outbox, path, log)
            continue
        found = _read(database, outbox, path, log, verify=verify)
        if found is None:
            continue
        if dry_run:
            log.report.entered += _rows_to_add(found, planned)
            continue
        batch.append(found)
        if len(batch) >= _BATCH:
            _enter(database, batch, log)
            batch = []
    _enter(database, batch, log)
    return log.report


def _pictures_and_sidecars(outbox: Path, log: RecoveryLog) -> Iterator[bytes]:
    """Yield the paths of possible derivatives and sidecars below the outbox; no link is followed.

    Anything with the name of a sidecar is yielded. A folder that cannot be read is reported.
    """
    root = os.fsencode(outbox)
    pending = [b""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118  (bytes)
                for entry in entries:
                    path = folder + b"/" + entry.name if folder else entry.name
                    if entry.name.startswith(b"."):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        if not ignored_folder(entry.name):
                            pending.append(path)
                    elif entry.name.endswith(_SIDECARS) or (
                        entry.name.endswith(_PICTURES) and entry.is_file(follow_symlinks=False)
                    ):
                        yield path
        except OSError as error:
            if folder:
                log.unusable(
                    display_path(folder),
                    f"the folder cannot be read ({error.strerror})",
                    "grant permission to read it, then run this again",
                )
                continue
            raise OutputUnavailable(
                reason=f"{display_path(root + b'/' + folder)} cannot be read ({error.strerror})",
                remedy="mount it, or grant permission to read it; then run this again",
            ) from error


def _report_missing_sidecar(outbox: Path, path: bytes, log: RecoveryLog) -> None:
    picture = outbox / os.fsdecode(path)
    if os.path.lexists(sidecar_path(picture)):
        return
    facts = dict(read_disclosure(picture))
    if "recipeFingerprint" not in facts:
        return  # not a derivative of Saek
    log.unusable(
        display_path(path),
        "it has no sidecar: a release without sidecars made it, or the sidecar was lost",
        "write sidecars from a backup of the record (`saek recover sidecars`); otherwise it is made again",
        facts,
    )


def _read(
    database: Database, outbox: Path, path: bytes, log: RecoveryLog, *, verify: bool
) -> _UsableSidecar | None:
    """Read a sidecar and check its derivative; return None, after a report, if it cannot be used."""
    log.report.read += 1
    log.step()
    display = display_path(path)
    try:
        sidecar, digest = read_sidecar_file(derivative_path(outbox, path))
    except (BrokenSidecar, MasterError, OutputUnavailable) as error:
        log.unusable(display, error.reason, error.remedy)
        return None
    name = path.removesuffix(SIDECAR_SUFFIX.encode())
    picture = outbox / os.fsdecode(name)
    derivative = DerivativeName(None, OUTBOX, name, display_path(name))
    with database.read() as s:
        status = sidecar_status(s, sidecar, derivative)
    if status is SidecarStatus.OTHER:
        log.unusable(
            display,
            "the record has another file for the same scan and recipe",
            "if that file is intact (`saek verify`), move this one away",
        )
        return None
    if status is not SidecarStatus.KNOWN and (problem := _picture_problem(picture, sidecar, verify=verify)):
        log.unusable(display, problem, "restore the picture from a backup, or have it made again")
        return None
    log.report.known += status is SidecarStatus.KNOWN
    evidence = {"sidecar": display, "sidecar_sha256": digest, "checksum_verified": verify}
    if name != sidecar.derivative["path"]:
        evidence["was_at"] = sidecar.derivative["display"]
    return _UsableSidecar(derivative, _is_linked(picture), sidecar, evidence, status)


def _is_linked(picture: Path) -> bool:
    try:
        return picture.lstat().st_nlink > 1
    except OSError:
        return False


def _picture_problem(picture: Path, sidecar: Sidecar, *, verify: bool) -> str:
    """Return what is wrong with the derivative of a sidecar, "" if nothing is."""
    recorded = sidecar.derivative
    try:
        descriptor = os.open(picture, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return "its picture is not a regular file"
            if status.st_size != recorded["bytes"]:
                return f"its picture has {status.st_size:,} bytes instead of {recorded['bytes']:,}"
            if verify and hashlib.file_digest(file, "sha256").hexdigest() != recorded["sha256"]:
                return "its picture has another checksum: it was changed or is damaged"
    except OSError as error:
        return f"its picture cannot be read ({error.strerror})"
    return _metadata_problem(picture, sidecar)


def _metadata_problem(picture: Path, sidecar: Sidecar) -> str:
    facts = read_disclosure(picture)
    if facts.get("masterSha256", sidecar.scan["sha256"]) != sidecar.scan["sha256"]:
        return "its picture was made from another scan, by the picture's own metadata"
    if facts.get("recipeFingerprint", sidecar.recipe["fingerprint"]) != sidecar.recipe["fingerprint"]:
        return "its picture was made by another recipe, by the picture's own metadata"
    return ""


def _rows_to_add(found: _UsableSidecar, planned: set[bytes]) -> AddedRows:
    """Return what a sidecar would add to the record; `planned` are the derivatives added before it."""
    sidecar = found.sidecar
    identity = (sidecar.scan["sha256"], sidecar.recipe["fingerprint"])
    digest = hashlib.sha256(repr(identity).encode()).digest()[:8]
    new = found.status is SidecarStatus.NEW and digest not in planned
    planned.add(digest)
    return AddedRows(derivatives=int(new), links=int(not new and found.status is not SidecarStatus.KNOWN))


def _enter(database: Database, batch: list[_UsableSidecar], log: RecoveryLog) -> None:
    def step(s: Session) -> tuple[AddedRows, list[tuple[_UsableSidecar, BrokenSidecar | RecipeConflict]]]:
        added, refused = AddedRows(), []
        for found in batch:
            try:
                added += enter_sidecar(s, found.sidecar, found.name, found.evidence, linked=found.linked)
            except (BrokenSidecar, RecipeConflict) as error:
                refused.append((found, error))
        return added, refused

    if not batch:
        return
    added, refused = database.run(step)
    log.report.entered += added
    for found, error in refused:
        log.unusable(f"{found.name.display}{SIDECAR_SUFFIX}", error.reason, error.remedy)
