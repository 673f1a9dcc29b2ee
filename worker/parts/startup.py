"""The start of a part of the station: it waits until the record answers and has the right tables."""

import threading

from db.core import require_current
from db.errors import DatabaseUnavailable
from worker.parts.wait_reporter import WaitReporter
from worker.settings import Settings
from worker.storage.home import require_record

_RETRY = 5.0


def wait_for_record(settings: Settings, reporter: WaitReporter, stop: threading.Event) -> None:
    """Wait until the record answers, or `stop` is set; the wait is reported.

    Raises:
        db.errors.SchemaOutOfDate: there is no record, or its tables are not those of this release.
    """
    require_record(settings)
    while not stop.is_set():
        try:
            require_current(settings.database_address(), patience=settings.lease_seconds)
        except DatabaseUnavailable as error:
            reporter.report(error)
            stop.wait(_RETRY)
        else:
            reporter.clear()
            return
