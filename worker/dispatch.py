"""The relay and the reconciler: what waits in the record is published, what died on the way is taken back."""

import datetime as dt
import threading
import time
from collections.abc import Iterable

import redis
import structlog
from kombu.exceptions import OperationalError

from db.engine import Database, open_database
from db.errors import DatabaseUnavailable
from db.migrate import require_current
from db.queue import Publishable, mark_published, reap_silent, reset_published, signs_of_life, unpublished
from worker.app import app
from worker.broker import (
    LANES,
    connect,
    lane_depths,
    leave_mark,
    remembers,
    unavailable,
    waiting_jobs,
)
from worker.errors import BrokerUnavailable
from worker.fixity.sealer import start_sealer
from worker.folders import require_safe_folders
from worker.messages import TASK, message_id
from worker.settings import Settings
from worker.silence import Listener
from worker.waiting import Teller

_RETRY = 2.0

_log = structlog.get_logger()


def run_dispatch(settings: Settings, stop: threading.Event) -> None:
    """Keep the broker's lanes filled from the record until `stop` is set; broker and database are waited for.

    After the database was away no job is taken from its worker before a lease's time has passed.

    Raises:
        HomeError: the folders are not safe to use.
        db.errors.SchemaOutOfDate: the tables are not those of this release.
    """
    require_safe_folders(settings)
    teller = Teller(settings, "dispatch")
    database = open_database(settings.database_address(), patience=settings.lease_seconds)
    client = connect(settings)
    sealer = start_sealer(database, stop)
    pause, checked, listener = settings.dispatch_seconds, False, Listener()
    try:
        while not stop.wait(pause):
            try:
                if not checked:
                    require_current(settings.database_address(), patience=settings.lease_seconds)
                    checked = True
                reconcile(database, listener)
                publish(database, client, settings)
                pause = settings.dispatch_seconds
                teller.goes_on()
            except (DatabaseUnavailable, BrokerUnavailable) as error:
                teller.waits(error)
                pause = _RETRY
                if isinstance(error, DatabaseUnavailable):
                    listener.forget()  # no worker could give a sign of life meanwhile
    finally:
        stop.set()
        sealer.join(_RETRY)
        teller.goes_on()
        client.close()
        database.dispose()


def reconcile(database: Database, listener: Listener) -> None:
    """Take back the jobs whose workers the listener has not heard of for a whole lease."""
    with database.read() as s:
        signs = signs_of_life(s)
    silent = listener.silent(signs, time.monotonic())
    for job in database.run(lambda s: reap_silent(s, silent)) if silent else ():
        _log.warning("a worker fell silent", job=job.job_id, now=job.outcome.value)


def publish(database: Database, client: "redis.Redis", settings: Settings) -> int:
    """Send messages until each lane holds `dispatch_depth` of them; return how many were sent.

    A job whose message is no longer in its lane, but that nobody claimed, is sent again: whoever took the
    message is gone. A message is marked as sent after it was sent: a crash between the two sends it twice,
    and the second delivery finds nothing to claim.

    Raises:
        BrokerUnavailable: the broker does not answer.
    """
    depth = settings.dispatch_depth
    try:
        if not remembers(client):
            _forget_sent_messages(database)
            leave_mark(client)
        waiting = {lane: waiting_jobs(client, lane, 4 * depth) for lane in LANES}
        room = {lane: max(0, depth - there) for lane, there in lane_depths(client).items()}
        limit = len(LANES) * depth + sum(map(len, waiting.values()))
        with database.read() as s:
            due = unpublished(s, limit, dt.timedelta(seconds=settings.republish_seconds))
        chosen = _fitting((item for item in due if item.job_id not in waiting[item.lane.value]), room)
        for item in chosen:
            app.send_task(
                TASK, args=(item.job_id,), queue=item.lane.value, task_id=message_id(item.job_id), retry=False
            )
    except (redis.RedisError, OperationalError) as error:
        raise unavailable(settings, error) from error
    if chosen:
        with database.begin() as s:
            mark_published(s, [item.job_id for item in chosen])
    return len(chosen)


def _fitting(due: Iterable[Publishable], room: dict[str, int]) -> list[Publishable]:
    left = dict(room)
    chosen = []
    for item in due:
        if left[item.lane.value] > 0:
            left[item.lane.value] -= 1
            chosen.append(item)
    return chosen


def _forget_sent_messages(database: Database) -> None:
    with database.begin() as s:
        count = reset_published(s)
    if count:
        _log.warning("the broker is new or lost its data; queued jobs are published again", jobs=count)
