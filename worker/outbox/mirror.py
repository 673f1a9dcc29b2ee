"""How the outbox mirrors the inbox: each file that holds a scan has what was made of it under its own name.

A derivative is written once, under the name of one of the files that held the scan then. Files that hold the
same bytes at other places, and those that were moved or renamed, get names of their own for it: hard links,
or copies where the file system has none. The name of a file that left stays until another one lies there.

The record says which scans are to be looked at: whatever changes their places or derivatives marks them in
the same transaction. A name is entered before it is given, and withdrawn after it was removed, so that a
process that is killed in between leaves no file that the record does not know, and the mark for the next
look. Names are only ever given where nothing lies, and only those are removed that came from a file of the
inbox which is gone, while another name of the same bytes lies where it should.
"""

import datetime as dt
import os
import threading
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
from sqlalchemy.orm import Session

from db.catalog import (
    DerivativeName,
    NamedDerivative,
    ScanPlaces,
    clear_names_due,
    latest_derivative_paths,
    locked_scan_places,
    mark_copies,
    mark_names_due,
    postpone_names,
    scan_places,
    scans_with_names_due,
    withdraw_name,
)
from db.core import Database, current_time, open_database
from db.errors import DatabaseError
from db.vocabulary import INBOX
from restoration import Transient
from worker.outbox.further_names import (
    NamingTask,
    existing_names,
    find_missing_names,
    give_names,
    is_wanted,
    log_waiting,
    reserve_names,
)
from worker.outbox.links import has_size, remove_name, same_entry, sync_folders
from worker.outbox.paths import OUTBOX
from worker.outbox.sidecars import describes, sidecar_path
from worker.parts.periodic_tasks import PeriodicTask, start_periodic_task
from worker.parts.wait_reporter import WaitReporter
from worker.settings import Settings
from worker.storage.locate import output_path
from worker.storage.mounts import require_mark, require_outbox

BATCH: Final = 25
"""So many scans are looked at in one go, and recorded in one transaction."""

_TERM: Final = dt.timedelta(seconds=60)
"""Whoever began to look at a scan has it for so long; what could not be done is tried again then."""

_PAUSE: Final = 1.0
_PAUSE_AWAY: Final = 10.0

_log = structlog.get_logger()


def start_mirror(settings: Settings, stop: threading.Event) -> threading.Thread:
    """Start a thread that keeps the outbox a mirror until `stop` is set; what fails is tried again."""
    database = open_database(settings.database_address(), patience=settings.lease_seconds)
    task = PeriodicTask(
        name="mirror",
        run=partial(mirror, database, settings, WaitReporter(settings, "mirror")),
        pause=_pause,
        first_pause=_PAUSE,
        delayed="further names of derivatives are not given yet",
        failed="further names of derivatives could not be given",
    )
    return start_periodic_task(task, stop)


def _pause(looked_at: int | None, _: float) -> float:
    if looked_at is None:
        return _PAUSE_AWAY
    return 0.0 if looked_at == BATCH else _PAUSE


def mirror(database: Database, settings: Settings, reporter: WaitReporter) -> int | None:
    """NamingTask at the names of the scans that are due; return of how many, None while the outbox is away.

    Raises `DatabaseUnavailable`; nothing is lost then.
    """
    with database.read() as s:
        due = scans_with_names_due(s, BATCH)
    if not due:
        return 0
    try:
        require_outbox(settings, partial(_latest, database))
    except Transient as away:
        reporter.report(away)
        return None
    reporter.clear()
    taken = sorted(database.run(lambda s: postpone_names(s, due, _TERM)))
    try:
        _go_through(database, settings, taken)
    except DatabaseError:
        raise
    except Exception:  # noqa: BLE001  (which of them it was shows when each is gone through by itself)
        for scan_id in taken:
            _go_through_alone(database, settings, scan_id)
    return len(due)


def _go_through(database: Database, settings: Settings, scan_ids: Sequence[int]) -> None:
    """Give the derivatives of scans their names, then withdraw others; may be done again at any point."""
    looks = [
        look for scan_id in scan_ids if (look := find_missing_names(database, settings, scan_id)) is not None
    ]
    database.run(partial(reserve_names, looks=looks))
    ready = [look for look in looks if give_names(look)]
    sync_folders({folder for look in ready for folder in look.folders}, settings.outbox_path)

    def record_all(s: Session) -> None:
        for look in ready:
            _record(s, look)

    database.run(record_all)


def _go_through_alone(database: Database, settings: Settings, scan_id: int) -> None:
    """Do it for one scan; what keeps it from being done costs no other."""
    try:
        _go_through(database, settings, [scan_id])
    except DatabaseError:
        raise
    except Transient as passing:
        log_waiting(scan_id, passing)
    except Exception as error:  # noqa: BLE001  (a fault of ours: the others have their turn)
        _log.error("names of derivatives could not be given", scan=scan_id, exc_info=error)


def _record(s: Session, look: NamingTask) -> None:
    """Note which names are copies, and withdraw those that are no longer wanted.

    What is on record by now decides: the scan is held meanwhile. It stays due if its places changed.
    """
    scan_id, now = look.places.scan_id, current_time(s)
    scan = before = locked_scan_places(s, scan_id, INBOX)
    if before is None:
        return
    if copies := [want.name.path for want in look.wants if want.name is not None and want.copied]:
        mark_copies(s, OUTBOX, copies)
    require_mark(look.settings)
    while scan is not None and _withdraw_one(s, look, scan, now):
        scan = scan_places(s, scan_id, INBOX)
    if (before.present, _ids(before)) == (look.places.present, _ids(look.places)):
        clear_names_due(s, scan_id)
    else:
        mark_names_due(s, [scan_id], now)


def _withdraw_one(s: Session, look: NamingTask, scan: ScanPlaces, now: dt.datetime) -> bool:
    """Withdraw one name of a place that the scan left, if another lies where it should; tell whether.

    A name that was entered and never given, or removed and not withdrawn, goes as long as any other is there.
    """
    for made in scan.derivatives:
        lying = dict(existing_names(look.settings, made))
        kept = [name for name in lying if is_wanted(name, scan.present, scan, made)]
        for name in made.names:
            if is_wanted(name, scan.present, scan, made) or not is_wanted(name, scan.past, scan, made):
                continue
            stays = kept or ([] if name in lying else list(lying))
            if stays and _may_go(look, made, name, stays[0], emptied=not kept):
                withdraw_name(s, made, name, stays[0], now=now)
                return True
    return False


def _may_go(
    look: NamingTask, made: NamedDerivative, name: DerivativeName, stays: DerivativeName, *, emptied: bool
) -> bool:
    """Remove the file of a name unless it is somebody else's by now; return whether the name is free.

    With `emptied` no file is removed: the name goes only if there is none.
    """
    outbox = look.settings.outbox_path
    path, other = output_path(outbox, name.path), output_path(outbox, stays.path)
    if os.path.lexists(path):
        if emptied:
            return False
        if has_size(path, made.bytes) and path.samefile(other):
            if same_entry(path, other):
                return True
        elif not look.sound.issuperset({name.path, stays.path}):
            _log.warning("a name is kept: its file was changed", output=name.display)
            return False
        remove_name(path, outbox)
    beside = sidecar_path(path)
    if describes(beside, made.sha256):
        remove_name(beside, outbox)
    return True


def _ids(scan: ScanPlaces) -> list[int]:
    return [made.derivative_id for made in scan.derivatives]


def _latest(database: Database) -> list[bytes]:
    with database.read() as s:
        return latest_derivative_paths(s)
