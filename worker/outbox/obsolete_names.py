"""The obsolete names of a scan's derivatives: those of masters that are gone, removed once others exist."""

import datetime as dt
import os

import structlog
from sqlalchemy.orm import Session

from db.catalog import (
    DerivativeName,
    NamedDerivative,
    ScanPlaces,
    clear_names_due,
    locked_scan_places,
    mark_copies,
    mark_names_due,
    scan_places,
    withdraw_name,
)
from db.core import current_time
from db.vocabulary import INBOX
from worker.outbox.links import has_size, remove_name, same_entry
from worker.outbox.missing_names import NamingTask, existing_names, is_wanted
from worker.outbox.paths import OUTBOX
from worker.outbox.sidecars import describes, sidecar_path
from worker.storage.mounts import require_mark
from worker.storage.recorded_paths import derivative_path

_log = structlog.get_logger()


def withdraw_obsolete_names(s: Session, task: NamingTask) -> None:
    """Record which names are copies, and remove those that are obsolete.

    The present record decides, and the scan is locked meanwhile. It stays due if its places have changed.
    """
    scan_id, now = task.places.scan_id, current_time(s)
    scan = before = locked_scan_places(s, scan_id, INBOX)
    if before is None:
        return
    if copies := [missing.name.path for missing in task.missing if missing.name and missing.copied]:
        mark_copies(s, OUTBOX, copies)
    require_mark(task.settings)
    while scan is not None and _withdraw_one(s, task, scan, now):
        scan = scan_places(s, scan_id, INBOX)
    if (before.present, _ids(before)) == (task.places.present, _ids(task.places)):
        clear_names_due(s, scan_id)
    else:
        mark_names_due(s, [scan_id], now)


def _withdraw_one(s: Session, task: NamingTask, scan: ScanPlaces, now: dt.datetime) -> bool:
    """Withdraw one obsolete name if a wanted one exists; return whether there was one.

    A name without a file, whether never given or already removed, goes as long as any other name exists.
    """
    for derivative in scan.derivatives:
        existing = dict(existing_names(task.settings, derivative))
        wanted = [name for name in existing if is_wanted(name, scan.present, scan, derivative)]
        for name in derivative.names:
            if is_wanted(name, scan.present, scan, derivative):
                continue
            if not is_wanted(name, scan.past, scan, derivative):
                continue  # of no master that was ever there
            others = wanted or ([] if name in existing else list(existing))
            if others and _remove_file(task, derivative, name, others[0], only_if_absent=not wanted):
                withdraw_name(s, derivative, name, others[0], now=now)
                return True
    return False


def _remove_file(
    task: NamingTask,
    derivative: NamedDerivative,
    name: DerivativeName,
    other: DerivativeName,
    *,
    only_if_absent: bool,
) -> bool:
    """Remove the file of a name unless it has become another file; return whether the name is free."""
    outbox = task.settings.outbox_path
    path, other_path = derivative_path(outbox, name.path), derivative_path(outbox, other.path)
    if os.path.lexists(path):
        if only_if_absent:
            return False
        if has_size(path, derivative.bytes) and path.samefile(other_path):
            if same_entry(path, other_path):
                return True
        elif not task.verified.issuperset({name.path, other.path}):
            _log.warning("a name is kept: its file was changed", output=name.display)
            return False
        remove_name(path, outbox)
    sidecar = sidecar_path(path)
    if describes(sidecar, derivative.sha256):
        remove_name(sidecar, outbox)
    return True


def _ids(scan: ScanPlaces) -> list[int]:
    return [derivative.derivative_id for derivative in scan.derivatives]
