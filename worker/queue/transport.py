"""How messages come from the broker to Celery: checked and written anew before Celery or kombu reads one.

kombu parses what BRPOP brings without a check: a word that is no JSON ends the worker, and a compressed body
is unpacked whole. So the answer to BRPOP is read by `worker.queue.messages` first. What is refused is logged
and gone, as if nothing had come.

A broker that refuses writes refuses the first one that a new connection makes, before Celery holds that
connection. Nobody closed it then, and two sockets were left behind at each try.
"""

from typing import Any

import redis
import structlog
from kombu.transport import TRANSPORT_ALIASES, _transport_cache
from kombu.transport import redis as kombu_redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from worker.queue.messages import InvalidMessage, envelope, read_message_id
from worker.queue.refused_writes import write_refusal

_log = structlog.get_logger()


def install_transport() -> None:
    """Have every connection of this process to a redis:// or rediss:// address go by this transport."""
    for scheme in ("redis", "rediss"):
        TRANSPORT_ALIASES[scheme] = f"{__name__}:Transport"
        _transport_cache.pop(scheme, None)  # whoever connected before got kombu's own


def check_delivery(answer: "list[bytes] | None", **_: Any) -> tuple[bytes, bytes] | None:
    """Return the answer to BRPOP, a key and a message, written anew; None if the message is refused."""
    if not answer:
        return None
    key, raw = answer
    lane = key.decode("utf-8", "backslashreplace")
    try:
        return key, envelope(read_message_id(raw), lane)
    except InvalidMessage as error:
        _log.warning("a message was refused", lane=lane, bytes=len(raw), reason=str(error))
        return None


class _Unacknowledged(kombu_redis.QoS):
    """Messages under work, kept in the broker: others could have written there too."""

    def restore_by_tag(self, tag: bytes, client: Any = None, leftmost: bool = False) -> None:
        """Put a message back into its lane; one that cannot be read is dropped, so that the rest go on."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            _log.warning("a message under work was refused", reason=type(error).__name__)
            with self.channel.conn_or_acquire(client) as connection:
                connection.hdel(self.unacked_key, tag)
                connection.zrem(self.unacked_index_key, tag)


class Channel(kombu_redis.Channel):
    """kombu's channel, whose deliveries are checked."""

    QoS = _Unacknowledged

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """No silent retries: redis-py's ten, some within others, take minutes in a network that is dead.

        Celery and the relay try again themselves.
        """
        return {**super()._connparams(asynchronous), "retry": Retry(NoBackoff(), 0)}

    def _create_client(self, asynchronous: bool = False) -> "redis.Redis":
        client: redis.Redis = super()._create_client(asynchronous)
        client.set_response_callback("BRPOP", check_delivery)
        return client


class Transport(kombu_redis.Transport):
    """kombu's Redis transport over those channels."""

    Channel = Channel

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Have the loop watch a connection; one that cannot be used is closed before the error goes on.

        Raises redis.ResponseError if the broker refuses writes, after a pause, or redis.ConnectionError.
        """
        try:
            super().register_with_event_loop(connection, loop)
        except Exception as error:
            self.close_connection(connection)
            if isinstance(error, redis.ResponseError):
                write_refusal.met(error)
            raise
        write_refusal.over()
