"""The missing names of a scan's derivatives: found, reserved in the record, then linked or copied."""

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.orm import Session

from db.catalog import (
    DerivativeName,
    NamedDerivative,
    ScanPlaces,
    abandon_name,
    enter_link,
    name_owner,
    scan_places,
)
from db.core import Database, current_time
from db.vocabulary import INBOX
from restoration import MasterError, Transient
from worker.outbox.links import ChecksumMismatch, NameTaken, has_bytes, has_size, link_or_copy
from worker.outbox.paths import OUTBOX, derivative_names, is_derivative_name, require_space
from worker.outbox.sidecars import sidecar_path, write_sidecar
from worker.printable import display_path
from worker.settings import Settings
from worker.storage.recorded_paths import derivative_path

_REASONS: Final = {
    NameTaken: "another file has it",
    ChecksumMismatch: "the bytes of the derivative are not those on record",
}

_log = structlog.get_logger()


@dataclass(slots=True)
class MissingName:
    """A derivative that lacks its name for one master, or whose name lacks its sidecar.

    `choices` are the names that it may have except those in `refused`; `name` is the reserved one.
    """

    derivative: NamedDerivative
    source: Path
    choices: list[bytes]
    refused: set[bytes] = field(default_factory=set)
    name: DerivativeName | None = None
    copied: bool = False


@dataclass(slots=True)
class NamingTask:
    """The missing names of one scan, and what was done and is still to be recorded.

    `verified` are the paths of names that were read and hold the recorded bytes; `folders` are those to sync.
    """

    database: Database
    settings: Settings
    places: ScanPlaces
    missing: list[MissingName] = field(default_factory=list)
    verified: set[bytes] = field(default_factory=set)
    folders: set[Path] = field(default_factory=set)


def find_missing_names(database: Database, settings: Settings, scan_id: int) -> NamingTask | None:
    """Find the names that the derivatives of a scan lack; return None if that must wait."""
    with database.read() as s:
        places = scan_places(s, scan_id, INBOX)
    if places is None:
        return None
    task = NamingTask(database, settings, places)
    try:
        for derivative in places.derivatives:
            _find_missing_names(task, derivative)
    except Transient as cause:
        log_waiting(scan_id, cause)
        return None
    return task


def _find_missing_names(task: NamingTask, derivative: NamedDerivative) -> None:
    scan, existing = task.places, dict(existing_names(task.settings, derivative))
    source = next(iter(existing.values()), None) or _find_unrecorded(task, derivative)
    if source is None:
        _log.warning(
            "a derivative has no file under any of its names",
            output=derivative.names[0].display,
            remedy="restore it from a backup, then run `saek verify --derivatives`",
        )
        return
    for master in scan.present:
        if any(is_wanted(name, [master], scan, derivative) for name in existing):
            continue
        known = [name.path for name in derivative.names if is_wanted(name, [master], scan, derivative)]
        names = derivative_names(master, scan.sha256, derivative.fingerprint, source.suffix)
        task.missing.append(MissingName(derivative, source, [*known, *names]))
    for name, path in existing.items():
        if not os.path.lexists(sidecar_path(path)):
            task.missing.append(MissingName(derivative, source, [name.path]))


def _find_unrecorded(task: NamingTask, derivative: NamedDerivative) -> Path | None:
    """Return the file of a derivative that exists under none of its recorded names, but under a wanted one.

    This happens after an older backup of the record was restored.
    """
    scan = task.places
    suffix = os.path.splitext(derivative.names[0].path)[1].decode("ascii", "replace")  # noqa: PTH122  (bytes)
    for master in scan.present:
        for name in derivative_names(master, scan.sha256, derivative.fingerprint, suffix):
            try:
                path = derivative_path(task.settings.outbox_path, name)
            except MasterError:
                continue
            if has_bytes(path, derivative.bytes, derivative.sha256):
                return path
    return None


def reserve_names(s: Session, tasks: Sequence[NamingTask]) -> None:
    """Record the names before they are given: a process that dies in between leaves no unknown file."""
    for task in tasks:
        for missing in task.missing:
            _reserve(s, missing, current_time(s))


def _reserve(s: Session, missing: MissingName, now: dt.datetime) -> None:
    """Reserve the first choice that is free on record or already the derivative's. May be repeated."""
    missing.name = None
    for path in missing.choices:
        owner = name_owner(s, OUTBOX, path)
        if path in missing.refused or owner not in {None, missing.derivative.derivative_id}:
            continue
        missing.name = DerivativeName(None, OUTBOX, path, display_path(path))
        if owner is None:
            enter_link(s, missing.derivative.derivative_id, missing.name, now=now)
        return


def give_names(task: NamingTask) -> bool:
    """Give the reserved names on the disk; return False if that must wait."""
    try:
        for missing in task.missing:
            while missing.name is not None and not _give_name(task, missing, missing.name):
                pass
            if missing.name is None:
                _log.warning("a derivative lacks a name", output=missing.derivative.names[0].display)
        _verify_copies(task)
    except Transient as cause:
        log_waiting(task.places.scan_id, cause)
        return False
    return True


def _give_name(task: NamingTask, missing: MissingName, name: DerivativeName) -> bool:
    """Give a derivative its name and sidecar; if it cannot have it, reserve the next choice."""
    derivative = missing.derivative
    try:
        path = derivative_path(task.settings.outbox_path, name.path)
        missing.copied = link_or_copy(
            missing.source,
            path,
            size=derivative.bytes,
            sha256=derivative.sha256,
            require_space=partial(require_space, task.settings),
        )
    except (NameTaken, ChecksumMismatch, MasterError) as error:
        reason = error.reason if isinstance(error, MasterError) else _REASONS[type(error)]
        _log.warning("a name is abandoned", output=name.display, reason=reason)
        missing.refused.update([name.path] if isinstance(error, NameTaken) else missing.choices)

        def choose_another(s: Session) -> None:
            abandon_name(s, derivative, name, reason, now=current_time(s))
            _reserve(s, missing, current_time(s))

        task.database.run(choose_another)
        return False
    _give_sidecar(task.database, derivative, missing.source, path)
    task.folders.add(path.parent)
    _log.info("named", output=name.display, copied=missing.copied, scan=task.places.scan_id)
    return True


def _give_sidecar(database: Database, derivative: NamedDerivative, source: Path, path: Path) -> None:
    """Link the sidecar of the source, or write a new one."""
    old, new = sidecar_path(source), sidecar_path(path)
    try:
        if old != new and old.is_file() and not old.is_symlink():
            os.link(old, new, follow_symlinks=False)
            return
    except FileExistsError:
        return
    except OSError:
        pass  # no hard links here
    with database.read() as s:
        write_sidecar(s, derivative.job_id, path)


def _verify_copies(task: NamingTask) -> None:
    """Read the names that are not links of each other, before one is removed in favor of another."""
    scan, outbox = task.places, task.settings.outbox_path
    for derivative in scan.derivatives:
        existing = {name.path: path for name, path in existing_names(task.settings, derivative)}
        recorded = [name for name in derivative.names if name.path in existing]
        if all(is_wanted(name, scan.present, scan, derivative) for name in recorded):
            continue
        for missing in task.missing:
            if missing.derivative is derivative and missing.name is not None:
                existing[missing.name.path] = derivative_path(outbox, missing.name.path)
        files: dict[tuple[int, int], list[bytes]] = {}
        for name, path in existing.items():
            status = path.lstat()
            files.setdefault((status.st_dev, status.st_ino), []).append(name)
        for names in files.values() if len(files) > 1 else ():
            if has_bytes(existing[names[0]], derivative.bytes, derivative.sha256):
                task.verified.update(names)


def existing_names(settings: Settings, derivative: NamedDerivative) -> Iterator[tuple[DerivativeName, Path]]:
    """Yield the names of a derivative under which a file of its size exists, with their paths."""
    for name in derivative.names:
        try:
            path = derivative_path(settings.outbox_path, name.path)
        except MasterError as error:
            _log.warning("passed over", output=name.display, code=error.code, reason=error.reason)
            continue
        if name.root == OUTBOX and has_size(path, derivative.bytes):
            yield name, path


def is_wanted(
    name: DerivativeName, masters: Iterable[bytes], scan: ScanPlaces, derivative: NamedDerivative
) -> bool:
    """Return whether one of these masters gives its derivative this name."""
    return any(
        is_derivative_name(name.path, master, scan.sha256, derivative.fingerprint) for master in masters
    )


def log_waiting(scan_id: int, cause: Transient) -> None:
    """Log what the names of a scan wait for."""
    _log.warning("waiting", scan=scan_id, code=cause.code, reason=cause.reason, remedy=cause.remedy)
