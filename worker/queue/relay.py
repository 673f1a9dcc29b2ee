"""The relay and the reconciler: they send queued jobs to the broker, and take back those of dead workers."""

import datetime as dt
import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import redis
import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from db.core import Database, open_database, require_current
from db.errors import DatabaseUnavailable
from db.queue import (
    count_started,
    job_file_names,
    job_scan_paths,
    last_heartbeats,
    mark_published,
    reap_unresponsive,
    reset_published,
    unpublished,
)
from db.vocabulary import JobState, Lane
from restoration import OutputUnavailable
from worker.errors import BrokerUnavailable
from worker.fixity.sealer import start_sealer
from worker.outbox.paths import clear_drafts
from worker.parts.wait_reporter import WaitReporter
from worker.queue.broker import broker_client, broker_error, has_mark, lane_depths, set_mark, waiting_jobs
from worker.queue.cached_counts import start_cached_counts
from worker.queue.celery_app import create_app
from worker.queue.lease_monitor import LeaseMonitor
from worker.queue.messages import TASK, message_id
from worker.settings import Settings
from worker.storage.folders import require_safe_folders
from worker.storage.home import require_record
from worker.storage.recorded_paths import PathEscapes, derivative_path

_RETRY: Final = 2.0
_MIN_PAUSE: Final = 0.02

_MAX_DEPTH: Final = 1000
"""Maximum number of messages in a lane; each round reads them all."""

Lanes = Mapping[str, frozenset[int]]
"""The jobs that each lane holds a message for."""

_EMPTY: Final[Lanes] = MappingProxyType({})

_log = structlog.get_logger()


def run_dispatch(settings: Settings, stop: threading.Event) -> None:
    """Keep the broker's lanes filled from the record until `stop` is set; wait for broker and database.

    After a database outage no job is taken from its worker before the duration of a lease has passed.

    Raises:
        HomeError: the folders are not safe to use.
        db.errors.SchemaOutOfDate: the tables are not those of this release.
    """
    require_safe_folders(settings)
    require_record(settings)
    reporter = WaitReporter(settings, "dispatch")
    database = open_database(settings.database_address(), patience=settings.lease_seconds)
    app, client = create_app(settings), broker_client(settings)
    threads = (start_sealer(database, stop), start_cached_counts(database, stop))
    pause, checked, before, monitor = settings.dispatch_seconds, False, _EMPTY, LeaseMonitor()
    try:
        while not stop.wait(pause):
            began = time.monotonic()
            try:
                if not checked:
                    require_current(settings.database_address(), patience=settings.lease_seconds)
                    checked = True
                reconcile(database, settings, monitor)
                before = fill_lanes(database, app, client, settings, before)
                pause = max(_MIN_PAUSE, settings.dispatch_seconds - (time.monotonic() - began))
                reporter.clear()
            except (DatabaseUnavailable, BrokerUnavailable) as error:
                reporter.report(error)
                pause = _RETRY
                if isinstance(error, DatabaseUnavailable):
                    monitor.reset()  # no worker could send a heartbeat meanwhile
    finally:
        stop.set()
        for thread in threads:
            thread.join(_RETRY)
        reporter.clear()
        client.close()
        database.dispose()


def reconcile(database: Database, settings: Settings, monitor: LeaseMonitor) -> None:
    """Take back the jobs whose leases have run out."""
    with database.read() as s:
        signs = last_heartbeats(s)
    expired = monitor.expired(signs, time.monotonic())
    if not expired:
        return
    reaped = database.run(lambda s: reap_unresponsive(s, expired))
    with database.read() as s:
        files = job_file_names(s, [job.job_id for job in reaped])
    for job in reaped:
        log = _log.bind(job=job.job_id, file=files.get(job.job_id))
        log.warning("a worker stopped answering", now=job.outcome.value)
        if job.outcome is not JobState.QUEUED:  # no next attempt clears what this one left behind
            _clear_drafts(database, settings, job.job_id, log)


def _clear_drafts(database: Database, settings: Settings, job_id: int, log: "structlog.BoundLogger") -> None:
    with database.read() as s:
        masters = job_scan_paths(s, job_id)
    for master in masters:
        try:
            clear_drafts(derivative_path(settings.outbox_path, master).parent, f"job{job_id}")
        except (OutputUnavailable, PathEscapes) as error:
            log.warning("drafts may be left over", code=error.code, reason=error.reason)


def fill_lanes(
    database: Database, app: Celery, client: "redis.Redis", settings: Settings, before: Lanes = _EMPTY
) -> Lanes:
    """Fill the lanes with messages; return the jobs that each lane holds a message for now.

    `before` is the result of the last round. A lane is filled up to `dispatch_depth`, or to twice the number
    of jobs that were taken and begun since, so that it does not run dry before the next round.

    A job whose message left its lane without being claimed is sent again, since the worker that took it is
    gone. A message is marked as sent after it was sent: a crash in between sends it twice, and the second
    delivery finds nothing to claim.

    Raises:
        BrokerUnavailable: the broker does not answer.
    """
    republish_after = dt.timedelta(seconds=settings.republish_seconds)
    max_depth = max(settings.dispatch_depth, _MAX_DEPTH)
    sent: list[int] = []
    now: dict[str, frozenset[int]] = {}
    try:
        if not has_mark(client):
            _forget_sent_messages(database)
            set_mark(client)
        for lane, length in lane_depths(client).items():
            waiting = waiting_jobs(client, lane, 4 * max_depth)
            with database.read() as s:
                begun = count_started(s, before.get(lane, frozenset()) - waiting)
                depth = min(max(settings.dispatch_depth, 2 * begun), max_depth)
                due = unpublished(s, Lane(lane), depth + len(waiting), republish_after)
            chosen = [job_id for job_id in due if job_id not in waiting][: max(0, depth - length)]
            for job_id in chosen:
                app.send_task(TASK, args=(job_id,), queue=lane, task_id=message_id(job_id), retry=False)
            sent += chosen
            now[lane] = frozenset(waiting.union(chosen))
    except (redis.RedisError, OperationalError) as error:
        raise broker_error(settings, error) from error
    if sent:
        with database.begin() as s:
            mark_published(s, sent)
    return now


def _forget_sent_messages(database: Database) -> None:
    with database.begin() as s:
        count = reset_published(s)
    if count:
        _log.warning("the broker is new or lost its data; queued jobs are published again", jobs=count)
