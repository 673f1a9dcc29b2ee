"""How a process reaches the record, safely on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session


class Database:
    """Connections of one process to the record."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        raise NotImplementedError

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Yield a session in a write transaction: committed on leaving, rolled back on any exception."""
        raise NotImplementedError

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session over one consistent view of the record, which cannot write."""
        raise NotImplementedError

    def dispose(self) -> None:
        """Close all connections."""
        raise NotImplementedError


def open_database(url: str) -> Database:
    """Return the database at `url`. Opens no connection yet."""
    raise NotImplementedError
