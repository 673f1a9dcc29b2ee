"""Connections and transactions on SQLite and PostgreSQL."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from db.errors import (
    DatabaseUnavailable,
    Deadlock,
    SchemaOutOfDate,
    UnsupportedDatabase,
    UnusableLocation,
)
from db.filesystems import network_file_system

BUSY_TIMEOUT_S: Final = 30
"""Seconds that a SQLite writer waits for another one before it gives up."""

_WRITES: Final = "saek_writes"
_DEADLOCK_DETECTED: Final = "40P01"  # PostgreSQL's SQLSTATE
_ATTEMPTS: Final = 5

T = TypeVar("T")


class Database:
    """The connections of one process to the record; a forked child opens connections of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer, self._reader = engine.execution_options(**{_WRITES: True}), engine
        if self.dialect == "postgresql":
            # A writer must see what a row lock waited for; a reader must see one consistent view.
            self._writer = self._writer.execution_options(isolation_level="READ COMMITTED")
            self._reader = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._pid = os.getpid()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @property
    def url(self) -> URL:
        """The address of the record, to be shown: its text hides the password and has no parameters."""
        return self._engine.url.set(query={})

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Yield a session in a write transaction: committed on leaving, rolled back on any exception.

        On SQLite the write lock is taken at the start (BEGIN IMMEDIATE), so that what is read stays valid.
        Raises `DatabaseUnavailable` and `SchemaOutOfDate`.
        """
        self._leave_parents_connections()
        with _translated_errors(self.url), Session(self._writer) as session, session.begin():
            yield session

    def run(self, step: Callable[[Session], T]) -> T:
        """Run `step` in a write transaction and return its result; run it again after a deadlock.

        Commands over many jobs and replaced files lock the same rows in no common order. PostgreSQL rolls one
        of two such transactions back. `step` must be repeatable. Raises as `begin`, and `Deadlock` after five
        attempts.
        """
        for _ in range(_ATTEMPTS - 1):  # as short and clear as tenacity, which would add a dependency
            with suppress(Deadlock), self.begin() as session:
                return step(session)
        with self.begin() as session:
            return step(session)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a read-only session over one consistent view of the record.

        Raises `DatabaseUnavailable` and `SchemaOutOfDate`.
        """
        self._leave_parents_connections()
        with _translated_errors(self.url), Session(self._reader) as session:
            yield session

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yield a connection in a write transaction, for migrations."""
        self._leave_parents_connections()
        with _translated_errors(self.url), self._writer.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def _leave_parents_connections(self) -> None:
        if self._pid != os.getpid():
            self._engine.dispose(close=False)
            self._pid = os.getpid()


def open_database(url: str, patience: float | None = None) -> Database:
    """Return the database at `url`, without connecting to it yet.

    `url` is `sqlite:///file` or `postgresql://...` (psycopg 3). A PostgreSQL server that owes an answer and
    sends nothing for `patience` seconds counts as unavailable; with None only the TCP probes of both hosts
    limit the wait.

    Raises `UnsupportedDatabase` for anything but a SQLite file or PostgreSQL, and `UnusableLocation` for a
    SQLite file on a network file system.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        # The address is not repeated: it may contain a password.
        raise UnsupportedDatabase(reason="invalid database address", remedy=_ADDRESS_REMEDY) from None
    match address.get_backend_name():
        case "sqlite":
            return Database(_sqlite(address))
        case "postgresql":
            return Database(_postgres(address, patience))
        case other:
            raise UnsupportedDatabase(reason=f"{other} is not supported", remedy=_ADDRESS_REMEDY)


def _postgres(address: URL, patience: float | None) -> Engine:
    from db.core import postgres  # noqa: PLC0415  (a station with SQLite loads no psycopg)

    engine = create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)

    def connect(_dialect: Any, _record: Any, address: list[Any], options: dict[str, Any]) -> Any:
        return postgres.connect(patience, *address, **options)

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES, False):
            connection.exec_driver_sql(postgres.limit_idle_time())  # a lost client must not keep rows locked

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "begin", begin)
    return engine


def _sqlite(address: URL) -> Engine:
    if address.database in {None, "", ":memory:"}:
        raise UnsupportedDatabase(reason="a SQLite record must be a file", remedy=_ADDRESS_REMEDY)
    path = Path(str(address.database))
    if not path.parent.is_dir():
        raise UnusableLocation(
            reason=f"the folder of {path} does not exist", remedy="create the folder, or name another"
        )
    if kind := network_file_system(path):
        raise UnusableLocation(
            reason=f"{path} is on a network file system ({kind}), where SQLite's locks do not hold",
            remedy="put the database on a local disk, or use PostgreSQL",
        )
    engine = create_engine(
        address.set(drivername="sqlite+pysqlite"), connect_args={"timeout": BUSY_TIMEOUT_S}
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    """Set the options of a new SQLite connection; `isolation_level` None leaves BEGIN to us."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    """Begin a write transaction with the lock taken, or a read-only one."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated_errors(url: URL) -> Iterator[None]:
    """Raise failures of the database itself as `DatabaseUnavailable`, `Deadlock` or `SchemaOutOfDate`."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailable(
            reason=f"{url}: no connection became free",
            remedy="this process uses all of its connections; work continues automatically",
        ) from error
    except DBAPIError as error:
        cause = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error).__name__
        if _means_missing_table(error):
            raise SchemaOutOfDate(
                reason=f"{url} lacks a table or column: {cause}", remedy="run `saek db upgrade`"
            ) from error
        if getattr(error.orig, "sqlstate", None) == _DEADLOCK_DETECTED:
            raise Deadlock(
                reason=f"{url}: {cause}", remedy="work continues automatically; repeat a command that failed"
            ) from error
        if _means_unavailable(error):
            raise DatabaseUnavailable(reason=f"{url}: {cause}", remedy=_unavailable_remedy(cause)) from error
        raise


def _means_missing_table(error: DBAPIError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    text = str(error.orig)
    return state in {"42P01", "42703"} or text.startswith(("no such table", "no such column"))


def _means_unavailable(error: DBAPIError) -> bool:
    """Return whether this is a connection, lock or disk failure, by SQLSTATE class or SQLite error code.

    PostgreSQL: 08 connection, 28 login, 3D no database, 40 deadlock, 53 resources, 57 operator, 58 system.
    """
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, sqlite3.Error):
        codes = {
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
        }
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in codes
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError | InterfaceError)
    return state[:2] in {"08", "28", "3D", "40", "53", "57", "58"}


def _unavailable_remedy(cause: str) -> str:
    if "full" in cause or "No space" in cause:
        return "free some disk space; work continues automatically"
    if "locked" in cause or "deadlock" in cause:
        return "another process holds the database; work continues automatically"
    if "malformed" in cause or "not a database" in cause:
        return "restore the database file from a backup"
    if "readonly" in cause or "read-only" in cause or "unable to open" in cause:
        return "give this user write access to the database file and its folder"
    return "check that the database runs and that the address and password are correct"


_ADDRESS_REMEDY: Final = (
    "use sqlite:////folder/saek.sqlite3 or postgresql://user@host/name as SAEK_DATABASE_URL"
)
