"""PostgreSQL connections on which either side notices that the other one, or the network, is gone.

A network that drops all packets closes no connection. TCP probes of the kernels detect a host that does not
acknowledge. Only a timeout detects a frozen server process or a middlebox that acknowledges and then drops.
"""

import math
import time
from collections.abc import Generator
from typing import Any, Final, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")

_CONNECT_TIMEOUT_S: Final = 10
_MIN_TIMEOUT_S: Final = 2  # the minimum of libpq

PROBES: Final = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""TCP options of this host's kernel, in s (the last in ms); the database address can override them."""

_SERVER_PROBES: Final = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",
    "client_connection_check_interval": "2s",  # a client that gave up must not keep waiting for a row
}
"""The same for the server: a client that is gone must not keep rows locked for two hours."""

IDLE_S = 15
"""Seconds that a client may be idle in a write transaction before the server ends it."""


class ServerSilent(psycopg.OperationalError):
    """The server sent nothing for longer than the timeout."""


class Connection(psycopg.Connection[Any]):
    """A connection that is closed when the server sends nothing for `patience` seconds; None: never."""

    patience: float | None = None

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        """Run a step of psycopg's protocol. Raises ServerSilent after closing the connection."""
        if self.patience is None:
            return super().wait(gen, *args, **options)
        try:
            return super().wait(_with_timeout(gen, self.patience), *args, **options)
        except ServerSilent:
            self.close()
            raise


def connect(patience: float | None, *address: Any, **options: Any) -> Connection:
    """Return a connection with TCP probes set on both hosts; the other arguments are psycopg's.

    Raises psycopg.Error.
    """
    timeout = _CONNECT_TIMEOUT_S if patience is None else min(_CONNECT_TIMEOUT_S, math.ceil(patience))
    defaults = {"connect_timeout": max(_MIN_TIMEOUT_S, timeout), "application_name": "saek", **PROBES}
    connection = Connection.connect(*address, **{**defaults, **options})
    connection.patience = patience
    try:
        connection.autocommit = True
        for name, value in _SERVER_PROBES.items():
            # `pg_settings` lists those that this server supports: the last one is new in PostgreSQL 14.
            connection.execute(
                "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = %s", (value, name)
            )
        connection.autocommit = False
    except BaseException:
        connection.close()
        raise
    return connection


def limit_idle_time() -> str:
    """Return the statement that makes the server end this transaction if its client is idle in it."""
    return f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_S}s'"


def _with_timeout(gen: PQGen[T], patience: float) -> Generator[Any, Any, T]:
    """Run `gen`, which psycopg resumes every 0.1 s, until it ends or nothing arrives for `patience` s."""
    until = time.monotonic() + patience
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                until = time.monotonic() + patience
            elif time.monotonic() > until:
                gen.close()
                raise ServerSilent(f"the server sent nothing for {patience:.0f} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        result: T = end.value
        return result
