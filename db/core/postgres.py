"""How PostgreSQL is reached so that either end notices when the other one, or the way there, is gone.

A network that swallows everything closes no connection. The kernels' probes notice a host that no longer
acknowledges; a server that is frozen behind a living kernel, or a middlebox that acknowledges and forgets, is
noticed by its silence alone.
"""

import math
import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")

_CONNECT_TIMEOUT_S: Final = 10
_LEAST_TIMEOUT_S: Final = 2  # libpq takes no less

PROBES: Final = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""Asked of this host's kernel, in seconds and, the last, milliseconds; an address may say otherwise."""

_SERVERS_PROBES: Final = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",
    "client_connection_check_interval": "2s",  # who gave up waiting must not stand in the queue for a row
}
"""The same of the server's kernel: a client that is gone must not hold rows locked for two hours."""

IDLE_S = 15
"""How long a client may be silent within a transaction that writes, before the server ends it."""


class ServerSilent(psycopg.OperationalError):
    """The server said nothing for longer than it is waited for."""


class Connection(psycopg.Connection[Any]):
    """A connection that is given up when the server keeps silent for `patience` seconds, None for ever."""

    patience: float | None = None

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        """Run what talks with the server. Raises Silent, and the connection is closed then."""
        if self.patience is None:
            return super().wait(gen, *args, **options)
        try:
            return super().wait(_heard(gen, self.patience), *args, **options)
        except ServerSilent:
            self.close()
            raise


def connect(patience: float | None, *address: Any, **options: Any) -> Connection:
    """Return a connection with the probes of both kernels set; the arguments are psycopg's.

    Raises psycopg.Error.
    """
    timeout = _CONNECT_TIMEOUT_S if patience is None else min(_CONNECT_TIMEOUT_S, math.ceil(patience))
    defaults = {"connect_timeout": max(_LEAST_TIMEOUT_S, timeout), "application_name": "saek", **PROBES}
    connection = Connection.connect(*address, **{**defaults, **options})
    connection.patience = patience
    try:
        connection.autocommit = True
        for name, value in _SERVERS_PROBES.items():
            # `pg_settings` holds those that this server knows: the last one came with PostgreSQL 14.
            connection.execute(
                "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = %s", (value, name)
            )
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def limit_idle_time() -> str:
    """Return the statement that has the server end this transaction if its client falls silent in it."""
    return f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_S}s'"


def _heard(gen: PQGen[T], patience: float) -> Generator[Any, Any, T]:
    """Run `gen`, which is told every tenth of a second that nothing has come, as long as patience lasts."""
    until = time.monotonic() + patience
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                until = time.monotonic() + patience
            elif time.monotonic() > until:
                gen.close()
                raise ServerSilent(f"the server said nothing for {patience:.0f} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result
