"""Settings, record and user of a command."""

import getpass
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from worker.logs import configure_logs
from worker.settings import Settings, load_settings
from worker.storage.home import require_record

if TYPE_CHECKING:
    from db.core import Database


def settings_and_logs() -> Settings:
    """Load the settings and configure logging. Raises SettingsError."""
    settings = load_settings()
    configure_logs(settings)
    return settings


@contextmanager
def open_record(settings: Settings) -> Iterator["Database"]:
    """Open the record for the length of a `with` block.

    Raises:
        db.errors.SchemaOutOfDate: the tables are of another release, or there is no record yet.
        db.errors.DatabaseUnavailable: it cannot be reached.
    """
    from db.core import open_database, require_current

    require_record(settings)
    require_current(settings.database_address())
    database = open_database(settings.database_address())
    try:
        yield database
    finally:
        database.dispose()


def roots(settings: Settings) -> Mapping[str, Path]:
    """Return the folder of each root name in the record."""
    return {"inbox": settings.inbox_path, "outbox": settings.outbox_path}


def current_user() -> str:
    """Return the name of the user for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        return f"uid {os.getuid()}"
