"""Schema revisions: that of the tables and the one that this release needs.

Every command checks them, so this module does not load Alembic.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from db.core.engine import Database, open_database
from db.errors import SchemaOutOfDate

_VERSIONS: Final = Path(__file__).parents[1] / "migrations" / "versions"


def head_revision() -> str:
    """Return the revision that this release needs."""
    return _revisions()[-1]


def current_revision(url: str, patience: float | None = None) -> str | None:
    """Return the revision of the tables at `url`, None where there are none yet."""
    with opened_database(url, patience) as database, database.read() as s:
        return revision_of(s.connection())


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the tables behind a connection, None where there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def require_current(url: str, patience: float | None = None) -> None:
    """Raise `SchemaOutOfDate` unless the tables at `url` are those of this release.

    `patience` as for `open_database`.
    """
    have, need = current_revision(url, patience), head_revision()
    if have == need:
        return
    require_known(have)
    state = "has no tables yet" if have is None else f"has the tables of revision {have}, not {need}"
    raise SchemaOutOfDate(reason=f"the database {state}", remedy="run `saek db upgrade`")


def require_known(revision: str | None) -> None:
    """Raise `SchemaOutOfDate` for a revision that only another release can have; None means no tables."""
    if revision is not None and revision not in _revisions():
        raise SchemaOutOfDate(
            reason=f"the database has revision {revision}, which this release does not know",
            remedy="install the release that made it, or a newer one",
        )


@contextmanager
def opened_database(url: str, patience: float | None = None) -> Iterator[Database]:
    """Yield the database at `url`, closed on leaving; `patience` as for `open_database`."""
    database = open_database(url, patience)
    try:
        yield database
    finally:
        database.dispose()


def _revisions() -> list[str]:
    """Return all revisions in order; the names of the migration files begin with them."""
    found = sorted(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*_*.py"))
    if not found:
        msg = "the migrations are missing from the distribution"
        raise RuntimeError(msg)
    return found
