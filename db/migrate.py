"""Which revision the tables have, and how they get to this release's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from db.engine import Database, open_database
from db.errors import SchemaOutOfDate
from db.guards import missing_guards
from db.schema import Base

_UPGRADE_LOCK: Final = 0x5AE4  # any number that nothing else on the server locks; PostgreSQL only


def head() -> str:
    """Return the revision that this release needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        msg = "the distribution lacks its migrations"
        raise RuntimeError(msg)
    return revision


def current(url: str, patience: float | None = None) -> str | None:
    """Return the revision of the tables at `url`, None where there are none yet."""
    with _opened(url, patience) as database, database.read() as session:
        return _revision(session.connection())


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the tables at `url` to `revision`; safe to be run by several processes at once.

    All steps happen in one transaction: it ends at `revision` or where it began.
    """
    with _migrating(url) as config:
        command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Take the tables at `url` back to `revision` ("base" for none). What only newer tables hold is lost."""
    with _migrating(url) as config:
        command.downgrade(config, revision)


def check(url: str) -> tuple[str, ...]:
    """Return what differs between the tables at `url` and the models, one line a difference.

    A trigger that should keep events from being changed, but is not there, is a difference too.
    """
    with _opened(url) as database, database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        tables = tuple(str(difference) for difference in compare_metadata(context, Base.metadata))
        return (*tables, *(f"the trigger {name} is not in force" for name in missing_guards(session)))


def require_current(url: str, patience: float | None = None) -> None:
    """Raise `SchemaOutOfDate` unless the tables at `url` are those of this release.

    `patience` as for `open_database`.
    """
    have, need = current(url, patience), head()
    if have == need:
        return
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if have is None or have in known:
        state = "has no tables yet" if have is None else f"has the tables of revision {have}, not {need}"
        raise SchemaOutOfDate(f"the database {state}", "run `saek db upgrade`")
    raise SchemaOutOfDate(
        f"the database has revision {have}, which this release does not know",
        "install the release that made it, or a newer one",
    )


@contextmanager
def _opened(url: str, patience: float | None = None) -> Iterator[Database]:
    database = open_database(url, patience)
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def _migrating(url: str) -> Iterator[Config]:
    """Yield Alembic's configuration with a connection that holds off other migrations."""
    with _opened(url) as database, database.connect() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        config = _config()
        config.attributes["connection"] = connection
        yield config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "db:migrations")
    config.set_main_option("path_separator", "os")
    return config
