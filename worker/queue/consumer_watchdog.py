"""The consumer watchdog: notices a worker that no longer takes messages although some wait.

If a broker drops its connections while every child process is busy, nothing is being read, and Celery does
not notice: acknowledgments fail, and the consumer waits forever (celery #8030, #10205). So a thread checks
whether messages wait while no job runs and none was taken for a while. It then has the consumer reconnect. If
that does not help, the worker ends, and its supervisor starts it again. A broker that rejects writes is a
known state, which is waited for elsewhere.
"""

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import redis
import structlog
from celery.worker import state

from worker.queue.broker import broker_client, lane_depths
from worker.queue.refused_writes import write_refusal
from worker.settings import Settings

if TYPE_CHECKING:
    from celery.apps.worker import Worker

_CHECK_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 12.0
"""Time that messages may wait for an idle worker, which normally takes one within a second."""

_log = structlog.get_logger()


class StalledConsumer(redis.ConnectionError):
    """Raised in the consumer to make it reconnect."""


def start_consumer_watchdog(worker: "Worker", settings: Settings) -> threading.Event:
    """Watch a worker from a thread; return the event that stops it."""
    stop = threading.Event()
    threading.Thread(
        target=_watch, args=(worker, settings, stop), name="consumer watchdog", daemon=True
    ).start()
    return stop


def _watch(worker: "Worker", settings: Settings, stop: threading.Event) -> None:
    client = broker_client(settings)
    taken, idle_since, warned = -1, time.monotonic(), False
    while not stop.wait(_CHECK_SECONDS):
        now, before = time.monotonic(), taken
        taken = sum(state.total_count.values())
        if taken != before:
            idle_since, warned = now, False
        elif (
            state.active_requests
            or write_refusal.active
            or state.should_stop is not None
            or not _messages_wait(client)
        ):
            idle_since = now
        elif now - idle_since > PATIENCE_SECONDS:
            idle_since = now
            if warned:
                _log.error("messages wait, but the worker takes none; it ends and is started again")
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                _log.warning("messages wait, but the worker takes none; it reconnects to the broker")
                _reconnect(worker)
            warned = True
    client.close()


def _messages_wait(client: "redis.Redis") -> bool:
    try:
        return any(lane_depths(client).values())
    except redis.RedisError:
        return False


def _reconnect(worker: "Worker") -> None:
    def fail() -> None:
        raise StalledConsumer("messages wait, but none arrives")

    hub: Any = getattr(worker.consumer, "hub", None)
    if hub is not None:
        hub.call_soon(fail)
