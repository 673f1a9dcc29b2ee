"""The broker transport of Celery: each message is checked and rewritten before kombu reads it.

kombu parses what BRPOP returns without a check: invalid JSON ends the worker, and a compressed body is
unpacked without a limit. So `worker.queue.messages` reads the answer to BRPOP first. A rejected message is
logged and dropped, as if nothing had arrived.

A broker that rejects writes fails on the first write of a new connection, before Celery holds that
connection. kombu does not close it then and would leak two sockets per try.
"""

from typing import Any

import redis
import structlog
from kombu.transport import TRANSPORT_ALIASES, _transport_cache
from kombu.transport import redis as kombu_redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.queue.messages import InvalidMessage, message_envelope, read_message_id
from worker.queue.refused_writes import write_refusal

_log = structlog.get_logger()


def install_transport() -> None:
    """Use this transport for all redis:// and rediss:// connections of this process."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:CheckedTransport"
        _transport_cache.pop(scheme, None)  # an earlier connection may have cached kombu's own


def check_delivery(answer: "list[bytes] | None", **_: Any) -> tuple[bytes, bytes] | None:
    """Return the answer to BRPOP (key and message) with the message rewritten; None if it is rejected."""
    if not answer:
        return None
    key, raw = answer
    lane = key.decode("utf-8", "backslashreplace")
    try:
        return key, message_envelope(read_message_id(raw), lane)
    except InvalidMessage as error:
        _log.warning("a message was refused", lane=lane, bytes=len(raw), reason=str(error))
        return None


class _Unacknowledged(kombu_redis.QoS):
    """Unacknowledged messages, which are kept in the broker, where others could have written."""

    def restore_by_tag(self, tag: bytes, client: Any = None, leftmost: bool = False) -> None:
        """Put a message back into its lane; drop one that cannot be read, so that the others continue."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            _log.warning("an unacknowledged message was refused", reason=type(error).__name__)
            with self.channel.conn_or_acquire(client) as connection:
                connection.hdel(self.unacked_key, tag)
                connection.zrem(self.unacked_index_key, tag)


class CheckedChannel(kombu_redis.Channel):
    """kombu's channel with checked deliveries."""

    QoS = _Unacknowledged

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Return kombu's parameters without retries: redis-py's ten take minutes in a dead network.

        Celery and the relay retry themselves.
        """
        return {**super()._connparams(asynchronous), "retry": Retry(NoBackoff(), 0)}

    def _create_client(self, asynchronous: bool = False) -> "redis.Redis":
        client: redis.Redis = super()._create_client(asynchronous)
        client.set_response_callback("BRPOP", check_delivery)
        return client


class CheckedTransport(kombu_redis.Transport):
    """kombu's Redis transport with checked channels."""

    Channel = CheckedChannel

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Register a connection with the event loop; close one that cannot be used before the error leaves.

        Raises redis.ResponseError after a pause if the broker rejects writes, or redis.ConnectionError.
        """
        try:
            super().register_with_event_loop(connection, loop)
        except Exception as error:
            self.close_connection(connection)
            if isinstance(error, redis.ResponseError):
                write_refusal.wait(error)
            raise
        write_refusal.clear()
