"""Upgrading, downgrading and checking the tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from db.core.revision import head_revision, opened_database, require_known, revision_of
from db.core.schema import Base
from db.core.trigger_check import missing_triggers

_UPGRADE_LOCK: Final = 0x5AE4  # any number that is not locked by others; PostgreSQL only


def upgrade(url: str, revision: str = "head") -> None:
    """Upgrade the tables at `url` to `revision`; concurrent calls are safe.

    All migrations run in one transaction. Raises `SchemaOutOfDate` for the tables of a newer release.
    """
    with _migrating(url) as config:
        command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Downgrade the tables at `url` to `revision` ("base": no tables). Data of newer tables is lost."""
    with _migrating(url) as config:
        command.downgrade(config, revision)


def check(url: str) -> tuple[str, ...]:
    """Return the differences between the tables at `url` and the models, one line each.

    A revision other than that of this release is a difference, and so is a missing append-only trigger.
    """
    with opened_database(url) as database, database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        tables = tuple(str(difference) for difference in compare_metadata(context, Base.metadata))
        have, need = revision_of(session.connection()), head_revision()
        steps = (
            () if have == need else (f"the tables have revision {have or 'none'}, this release needs {need}",)
        )
        return (
            *steps,
            *tables,
            *(f"the trigger {name} is not in force" for name in missing_triggers(session)),
        )


@contextmanager
def _migrating(url: str) -> Iterator[Config]:
    """Yield Alembic's configuration with a connection that locks out other migrations."""
    with opened_database(url) as database, database.connect() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        require_known(revision_of(connection))
        config = _config()
        config.attributes["connection"] = connection
        yield config


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "db:migrations")
    config.set_main_option("path_separator", "os")
    return config
