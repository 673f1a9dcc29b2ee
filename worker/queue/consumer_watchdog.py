"""Whether a worker still takes messages while there are some.

A broker that drops its connections while every child is at work, so that none is being read from, goes
unnoticed: the acknowledgments fail, and Celery waits for room that never comes (celery #8030, #10205). Such
a worker looks alive and does nothing. So a thread watches: messages wait, nothing is at work, none was taken
for a while. Then the consumer is made to connect anew; if that does not help, the worker ends, to be started
again by whoever keeps it. A broker that refuses writes is another matter: that is known, and waited for.
"""

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import redis
import structlog
from celery.worker import state

from worker.queue.broker import broker_client, lane_depths
from worker.queue.refused_writes import write_refusal
from worker.settings import Settings

if TYPE_CHECKING:
    from celery.apps.worker import Worker

_LOOK_SECONDS = 2.0
PATIENCE_SECONDS = 12.0
"""How long messages may wait before an idle worker; an idle one takes a message within a second."""

_log = structlog.get_logger()


class Stalled(redis.ConnectionError):
    """The consumer does not see that its connection is dead; it is told so."""


def start_consumer_watchdog(worker: "Worker", settings: Settings) -> threading.Event:
    """Watch over a worker from a thread; return the event that ends it."""
    over = threading.Event()
    threading.Thread(target=_watch, args=(worker, settings, over), name="vigil", daemon=True).start()
    return over


def _watch(worker: "Worker", settings: Settings, over: threading.Event) -> None:
    client = broker_client(settings)
    taken, idle_since, warned = -1, time.monotonic(), False
    while not over.wait(_LOOK_SECONDS):
        now, before = time.monotonic(), taken
        taken = sum(state.total_count.values())
        if taken != before:
            idle_since, warned = now, False
        elif (
            state.active_requests
            or write_refusal.lasts
            or state.should_stop is not None
            or not _messages_wait(client)
        ):
            idle_since = now
        elif now - idle_since > PATIENCE_SECONDS:
            idle_since = now
            _rouse(worker, again=warned)
            warned = True
    client.close()


def _messages_wait(client: "redis.Redis") -> bool:
    try:
        return any(lane_depths(client).values())
    except redis.RedisError:
        return False


def _rouse(worker: "Worker", *, again: bool) -> None:
    if again:
        _log.error("no message is taken though some wait; the worker ends, to be started again")
        os.kill(os.getpid(), signal.SIGTERM)
        return
    _log.warning("no message is taken though some wait; the connection to the broker is made anew")
    hub: Any = getattr(worker.consumer, "hub", None)
    if hub is not None:
        hub.call_soon(_connection_lost)


def _connection_lost() -> None:
    raise Stalled("messages wait, but none arrives")
