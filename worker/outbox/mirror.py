"""The mirror: keeps a name in the outbox for each file in the inbox that holds a restored scan.

A derivative is written once, under the name of one file that held its scan at that time. Files with the same
bytes in other places, and files that were moved or renamed, get names of their own for it: hard links, or
copies where the file system has none. The name of a file that is gone stays until another one exists.

The record says which scans are due: any change to their places or derivatives marks them in the same
transaction. A name is recorded before it is given, and withdrawn after it was removed. A process that is
killed in between leaves no file that the record does not know, and the scan stays due. A name is given only
where no file exists. A name is removed only if it came from a file of the inbox that is gone, and if another
name of the same bytes exists where it should.
"""

import datetime as dt
import threading
from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
from sqlalchemy.orm import Session

from db.catalog import latest_derivative_paths, postpone_names, scans_with_names_due
from db.core import Database, open_database
from db.errors import DatabaseError
from restoration import Transient
from worker.outbox.links import sync_folders
from worker.outbox.missing_names import find_missing_names, give_names, log_waiting, reserve_names
from worker.outbox.obsolete_names import withdraw_obsolete_names
from worker.parts.periodic_tasks import PeriodicTask, start_periodic_task
from worker.parts.wait_reporter import WaitReporter
from worker.settings import Settings
from worker.storage.mounts import require_outbox

BATCH: Final = 25
"""Number of scans that are handled together and recorded in one transaction."""

_TERM: Final = dt.timedelta(seconds=60)
"""Time for which a scan is reserved for the process that handles it; the rest is tried again then."""

_PAUSE: Final = 1.0
_PAUSE_AWAY: Final = 10.0

_log = structlog.get_logger()


def start_mirror(settings: Settings, stop: threading.Event) -> threading.Thread:
    """Start a thread that keeps the outbox a mirror until `stop` is set; failures are retried."""
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


def _pause(handled: int | None, _: float) -> float:
    if handled is None:
        return _PAUSE_AWAY
    return 0.0 if handled == BATCH else _PAUSE


def mirror(database: Database, settings: Settings, reporter: WaitReporter) -> int | None:
    """Update the names of the scans that are due; return their number, None while the outbox is away.

    Raises `DatabaseUnavailable`; nothing is lost then.
    """
    with database.read() as s:
        due = scans_with_names_due(s, BATCH)
    if not due:
        return 0
    try:
        require_outbox(settings, partial(_latest, database))
    except Transient as cause:
        reporter.report(cause)
        return None
    reporter.clear()
    scan_ids = sorted(database.run(lambda s: postpone_names(s, due, _TERM)))
    try:
        _update_names(database, settings, scan_ids)
    except DatabaseError:
        raise
    except Exception:  # noqa: BLE001  (handled one by one, the scan that caused it shows itself)
        for scan_id in scan_ids:
            _update_names_of_one(database, settings, scan_id)
    return len(due)


def _update_names(database: Database, settings: Settings, scan_ids: Sequence[int]) -> None:
    """Give the derivatives of scans their names, then withdraw obsolete ones; may be repeated."""
    tasks = [
        task for scan_id in scan_ids if (task := find_missing_names(database, settings, scan_id)) is not None
    ]
    database.run(partial(reserve_names, tasks=tasks))
    named = [task for task in tasks if give_names(task)]
    sync_folders({folder for task in named for folder in task.folders}, settings.outbox_path)

    def withdraw(s: Session) -> None:
        for task in named:
            withdraw_obsolete_names(s, task)

    database.run(withdraw)


def _update_names_of_one(database: Database, settings: Settings, scan_id: int) -> None:
    """Handle one scan; its failure holds up no other."""
    try:
        _update_names(database, settings, [scan_id])
    except DatabaseError:
        raise
    except Transient as cause:
        log_waiting(scan_id, cause)
    except Exception as error:  # noqa: BLE001  (a bug must not hold up the other scans)
        _log.error("names of derivatives could not be given", scan=scan_id, exc_info=error)


def _latest(database: Database) -> list[bytes]:
    with database.read() as s:
        return latest_derivative_paths(s)
