"""How a lost record is built anew from the sidecars in an outbox, and lost sidecars from the record."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy.orm import Session

from db.catalog import (
    AddedRows,
    DerivativeName,
    NamedDerivative,
    Sidecar,
    SidecarStatus,
    enter_sidecar,
    recorded_derivatives,
    sidecar_status,
)
from db.core import Database, current_revision, open_database, require_current
from db.errors import BrokenSidecar, RecipeConflict
from db.migrations import upgrade
from restoration import MasterError, OutputFormat, OutputUnavailable, read_disclosure
from worker.outbox.paths import OUTBOX
from worker.outbox.sidecars import SUFFIX, read_sidecar_file, sidecar_path, write_sidecar
from worker.printable import display_path
from worker.settings import Settings
from worker.storage.ignored_names import ignored_folder
from worker.storage.locate import PathEscapes, output_path

MAX_LISTED: Final = 1000
"""So many findings are kept for the report; all are told as they are found."""

_BATCH: Final = 50
_PICTURES: Final = tuple(fmt.suffix.encode() for fmt in OutputFormat)


@dataclass(frozen=True, slots=True)
class UnusableFile:
    """A file that could not be used; `facts` is what its own metadata say of its making."""

    display: str
    reason: str
    remedy: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RecoveryReport:
    """What a recovery did; `known` were on record already, `findings` are the first of `troubles`."""

    read: int = 0
    known: int = 0
    entered: AddedRows = field(default_factory=AddedRows)
    written: int = 0
    troubles: int = 0
    findings: list[UnusableFile] = field(default_factory=list)


RecoveryListener = Callable[[RecoveryReport, UnusableFile | None], None]
"""Called after each file with the report so far, and with what is wrong with the file, if anything."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A sidecar that may be entered."""

    name: DerivativeName
    linked: bool
    sidecar: Sidecar
    evidence: dict[str, object]
    standing: SidecarStatus


class _Log:
    def __init__(self, listener: RecoveryListener) -> None:
        self.report = RecoveryReport()
        self._listener = listener

    def step(self) -> None:
        self._listener(self.report, None)

    def trouble(self, display: str, reason: str, remedy: str, facts: dict[str, str] | None = None) -> None:
        finding = UnusableFile(display, reason, remedy, facts or {})
        self.report.troubles += 1
        if len(self.report.findings) < MAX_LISTED:
            self.report.findings.append(finding)
        self._listener(self.report, finding)


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
    """Enter what every sidecar below `outbox` tells and the record lacks.

    `verify` reads each derivative whose sidecar is new and compares its checksum; without it only its size
    is looked at. A dry run counts the derivatives that would be entered and writes nothing.

    Raises:
        OutputUnavailable: the folder itself cannot be read. One below it is told of.
    """
    log = _Log(listener)
    batch: list[_Read] = []
    planned: set[bytes] = set()
    for path in _pictures_and_sidecars(outbox, log):
        if not path.endswith(SUFFIX.encode()):
            _look_for_sidecar(outbox, path, log)
            continue
        read = _read(database, outbox, path, log, verify=verify)
        if read is None:
            continue
        if dry_run:
            making = hashlib.sha256(repr(_making(read.sidecar)).encode()).digest()[:8]
            new = read.standing is SidecarStatus.NEW and making not in planned
            planned.add(making)
            known = read.standing is SidecarStatus.KNOWN
            log.report.entered += AddedRows(derivatives=int(new), links=int(not new and not known))
        else:
            batch.append(read)
        if len(batch) >= _BATCH:
            _enter(database, batch, log)
            batch = []
    _enter(database, batch, log)
    return log.report


def recover_sidecars(
    database: Database, outbox: Path, listener: RecoveryListener, *, dry_run: bool = False
) -> RecoveryReport:
    """Write the sidecars that are missing or broken, of all derivatives on record that lie in `outbox`.

    Raises:
        NoSpace: a sidecar cannot be written.
    """
    log = _Log(listener)
    with database.read() as s:
        for made in recorded_derivatives(s):
            for name in made.names:
                log.report.read += 1
                try:
                    _mend(s, made, name, _place(outbox, name), log, dry_run=dry_run)
                except (MasterError, OutputUnavailable) as error:
                    log.trouble(name.display, error.reason, error.remedy)
                log.step()
    return log.report


def _place(outbox: Path, name: DerivativeName) -> Path:
    """Return where a derivative on record lies. Raises LeadsOut, PathTooLong, OutputUnavailable."""
    if name.root != OUTBOX:
        raise PathEscapes(
            reason=f"the record names a root {name.root!r} for it, which is not one of Saek's",
            remedy="the record was tampered with or is damaged: compare it with a backup",
        )
    return output_path(outbox, name.path)


def _mend(
    s: Session, made: NamedDerivative, name: DerivativeName, derivative: Path, log: _Log, *, dry_run: bool
) -> None:
    try:
        status = derivative.lstat()
        size = status.st_size if stat.S_ISREG(status.st_mode) else -1
    except OSError as error:
        log.trouble(
            name.display,
            f"the derivative is not there ({error.strerror})",
            "restore it from a backup; saek status tells of which scan it was made",
        )
        return
    if size < 0:
        log.trouble(name.display, "it is no regular file", "restore it from a backup")
        return
    if size != made.bytes:
        log.trouble(
            name.display,
            f"the derivative has {size:,} bytes, {made.bytes:,} are on record",
            "restore it from a backup",
        )
        return
    if _sidecar_fits(derivative, made):
        log.report.known += 1
        return
    if not dry_run:
        write_sidecar(s, made.job_id, derivative)
    log.report.written += 1


def _sidecar_fits(derivative: Path, made: NamedDerivative) -> bool:
    try:
        sidecar, _ = read_sidecar_file(sidecar_path(derivative))
    except BrokenSidecar:
        return False
    return bool(sidecar.derivative["sha256"] == made.sha256)


def _read(database: Database, outbox: Path, path: bytes, log: _Log, *, verify: bool) -> _Read | None:
    """Return a sidecar that is to be entered; None if it is known or of no use."""
    log.report.read += 1
    log.step()
    display = display_path(path)
    try:
        sidecar, digest = read_sidecar_file(output_path(outbox, path))
    except (BrokenSidecar, MasterError, OutputUnavailable) as error:
        log.trouble(display, error.reason, error.remedy)
        return None
    picture = path.removesuffix(SUFFIX.encode())
    lies_at = outbox / os.fsdecode(picture)
    name = DerivativeName(None, OUTBOX, picture, display_path(picture))
    with database.read() as s:
        found = sidecar_status(s, sidecar, name)
    if found is SidecarStatus.OTHER:
        log.trouble(
            display,
            "the record has another file for the same scan and recipe",
            "nothing is to be done if that one is whole (saek verify); move this one away then",
        )
        return None
    if found is not SidecarStatus.KNOWN and (problem := _amiss(lies_at, sidecar, verify=verify)):
        log.trouble(display, problem, "restore the picture from a backup, or let it be made again")
        return None
    log.report.known += found is SidecarStatus.KNOWN
    evidence = {"sidecar": display, "sidecar_sha256": digest, "checksum_verified": verify}
    if picture != sidecar.derivative["path"]:
        evidence["was_at"] = sidecar.derivative["display"]
    return _Read(name, _has_other_names(lies_at), sidecar, evidence, found)


def _making(sidecar: Sidecar) -> tuple[str, str]:
    """Return what identifies a derivative: its scan and its recipe."""
    return sidecar.scan["sha256"], sidecar.recipe["fingerprint"]


def _has_other_names(picture: Path) -> bool:
    try:
        return picture.lstat().st_nlink > 1
    except OSError:
        return False


def _amiss(picture: Path, sidecar: Sidecar, *, verify: bool) -> str:
    """Return what is wrong with the derivative of a sidecar, "" if nothing is."""
    told = sidecar.derivative
    try:
        descriptor = os.open(picture, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return "the picture that it tells of is no regular file"
            if status.st_size != told["bytes"]:
                return f"the picture has {status.st_size:,} bytes, it tells of {told['bytes']:,}"
            if verify and hashlib.file_digest(file, "sha256").hexdigest() != told["sha256"]:
                return "the picture has another checksum than it tells: it was changed or is damaged"
    except OSError as error:
        return f"the picture that it tells of cannot be read ({error.strerror})"
    return _disagreement(picture, sidecar)


def _disagreement(picture: Path, sidecar: Sidecar) -> str:
    """Return in what a picture's own metadata and its sidecar disagree, "" if in nothing."""
    facts = read_disclosure(picture)
    if facts.get("masterSha256", sidecar.scan["sha256"]) != sidecar.scan["sha256"]:
        return "the picture says that it was made of another scan than it tells"
    if facts.get("recipeFingerprint", sidecar.recipe["fingerprint"]) != sidecar.recipe["fingerprint"]:
        return "the picture says that it was made by another recipe than it tells"
    return ""


def _enter(database: Database, batch: list[_Read], log: _Log) -> None:
    def step(s: Session) -> tuple[AddedRows, list[tuple[_Read, BrokenSidecar | RecipeConflict]]]:
        entered, refused = AddedRows(), []
        for read in batch:
            try:
                entered += enter_sidecar(s, read.sidecar, read.name, read.evidence, linked=read.linked)
            except (BrokenSidecar, RecipeConflict) as error:
                refused.append((read, error))
        return entered, refused

    if not batch:
        return
    entered, refused = database.run(step)
    log.report.entered += entered
    for read, error in refused:
        log.trouble(f"{read.name.display}{SUFFIX}", error.reason, error.remedy)


def _look_for_sidecar(outbox: Path, path: bytes, log: _Log) -> None:
    picture = outbox / os.fsdecode(path)
    if os.path.lexists(sidecar_path(picture)):
        return
    facts = dict(read_disclosure(picture))
    if "recipeFingerprint" not in facts:
        return  # no derivative of ours
    log.trouble(
        display_path(path),
        "it has no sidecar: it was made before there were any, or that was lost",
        "write sidecars from a backup of the record (saek recover sidecars); else it is made again",
        facts,
    )


def _pictures_and_sidecars(outbox: Path, log: _Log) -> Iterator[bytes]:
    """Yield the paths of what could be a derivative or a sidecar below the outbox; no link is followed.

    What has the name of a sidecar is yielded whatever it is. A folder that cannot be read is told of.
    """
    root = os.fsencode(outbox)
    pending = [b""]
    endings = (*_PICTURES, *(ending + SUFFIX.encode() for ending in _PICTURES))
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118  (bytes)
                for item in entries:
                    path = folder + b"/" + item.name if folder else item.name
                    if item.name.startswith(b"."):
                        continue
                    if item.is_dir(follow_symlinks=False):
                        if not ignored_folder(item.name):
                            pending.append(path)
                    elif item.name.endswith(endings) and (
                        item.name.endswith(SUFFIX.encode()) or item.is_file(follow_symlinks=False)
                    ):
                        yield path
        except OSError as error:
            if folder:
                log.trouble(
                    display_path(folder),
                    f"the folder cannot be read ({error.strerror})",
                    "give the right to read it, then run this again",
                )
                continue
            raise OutputUnavailable(
                reason=f"{display_path(root + b'/' + folder)} cannot be read ({error.strerror})",
                remedy="mount it, or give the right to read it; then run this again",
            ) from error
