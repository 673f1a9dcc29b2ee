"""What most commands begin with: the settings and the record."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from worker.logs import configure_logs
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    from db.engine import Database


def settings_and_logs() -> Settings:
    """Return the settings of this process, and log as they say. Raises SettingsError."""
    settings = load_settings()
    configure_logs(settings)
    return settings


@contextmanager
def record(settings: Settings) -> Iterator["Database"]:
    """Yield the record, closed on leaving.

    Raises:
        db.errors.SchemaOutOfDate: the tables are not those of this release, or no station ran here yet.
        db.errors.DatabaseUnavailable: it cannot be reached.
    """
    from db.engine import open_database
    from db.revision import require_current

    require_record(settings)
    require_current(settings.database_address())
    database = open_database(settings.database_address())
    try:
        yield database
    finally:
        database.dispose()


def require_record(settings: Settings) -> None:
    """Raise SchemaOutOfDate where there is no record yet."""
    from db.errors import SchemaOutOfDate

    if not has_record(settings):
        raise SchemaOutOfDate(
            f"There is no record in {settings.home}",
            "start a station there (saek station), or name another home with --home or SAEK_HOME",
        )


def has_record(settings: Settings) -> bool:
    """Whether there is a record to connect to; to connect without one would make an empty file."""
    return settings.database_url is not None or (settings.home / "saek.db").is_file()


def roots(settings: Settings) -> Mapping[str, Path]:
    """Return the folders behind the root names of the record."""
    return {"inbox": settings.inbox_path, "outbox": settings.outbox_path}
