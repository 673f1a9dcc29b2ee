"""The Celery application: two lanes, one task, messages that hold a job id and nothing else."""

import os
import socket
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from celery import Celery, signals
from celery.platforms import SecurityWarning
from kombu import Queue

from worker.exits import Exit
from worker.logs import configure_logs
from worker.outbox.mirror import start_mirror
from worker.parts.run_files import replace_run_file
from worker.parts.startup import wait_for_record
from worker.parts.wait_reporter import WaitReporter
from worker.queue.broker import LANES
from worker.queue.consumer_watchdog import start_consumer_watchdog
from worker.queue.refused_writes import write_refusal
from worker.queue.tls import broker_tls
from worker.queue.transport import install_transport
from worker.settings import Settings, load_settings
from worker.storage.folders import refuse_unwritable, require_safe_folders

settings = load_settings()
"""Read once a process: spawned children import this module and read the same."""


def create_app(settings: Settings) -> Celery:
    """Return the application over the broker that the settings name; opens no connection."""
    install_transport()
    app = Celery("saek", set_as_current=False)
    app.conf.update(
        broker_url=settings.broker_address(),
        broker_use_ssl=broker_tls(settings),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_channel_error_retry=True,  # a broker whose disk is full refuses commands, and recovers
        broker_transport_options={
            # Redelivery by the broker is the second net; the reconciler is the first. A timeout shorter than
            # a task would have it run twice for ever.
            "visibility_timeout": settings.task_seconds + 600,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "queue_order_strategy": "priority",
            "socket_keepalive": True,
            "socket_connect_timeout": 5.0,
            "socket_timeout": 5.0,  # of the TLS handshake too: a server without TLS says nothing to it
            "health_check_interval": 5,  # an answer to BRPOP that is so much overdue will not come
        },
        task_queues=[Queue(lane) for lane in LANES],
        task_default_queue=LANES[0],
        task_create_missing_queues=False,
        include=["worker.jobs.tasks"],
        accept_content=["json"],
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        result_backend=None,
        task_ignore_result=True,
        task_acks_late=True,
        # A message whose child died is not sent back: that would loop on a poison file. The lease in the
        # record runs out and counts the attempt.
        task_reject_on_worker_lost=False,
        task_time_limit=settings.task_seconds,
        worker_prefetch_multiplier=1,
        worker_pool_start_method="spawn",
        worker_proc_alive_timeout=120.0,  # torch takes its time to import
        worker_cancel_long_running_tasks_on_connection_loss=False,  # the lease guards against double work
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        enable_utc=True,
    )
    return app


app = create_app(settings)


def run_worker(settings: Settings) -> Exit:
    """Serve both lanes, dropped files first, with `concurrency` processes until SIGTERM or SIGINT.

    Raises:
        HomeError: the folders are not safe to use, or the outbox cannot be written to.
        db.errors.SchemaOutOfDate: the tables are not those of this release.
    """
    require_safe_folders(settings)
    refuse_unwritable(settings.outbox_path)
    wait_for_record(settings, WaitReporter(settings, "worker start"), threading.Event())
    warnings.simplefilter("ignore", SecurityWarning)  # of pickle as root; only JSON is accepted
    worker = app.Worker(
        pool="prefork",
        concurrency=settings.concurrency,
        queues=list(LANES),
        hostname=f"saek-{os.getpid()}@{socket.gethostname()}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",  # of the libraries; ours is set by configure_logs
        optimization="fair",
        quiet=True,
    )
    write_refusal.tell(settings)
    over = start_consumer_watchdog(worker, settings)
    start_mirror(settings, over)
    worker.start()
    over.set()
    return Exit.OK if not worker.exitcode else Exit.INTERNAL


def drain_mark(worker_pid: int) -> Path:
    """The file that tells the children of this worker that it shuts down, and since when.

    By the clock that nobody can turn, which all processes of a host share.
    """
    return settings.run_path / f"drain-{worker_pid}"


@signals.setup_logging.connect
@signals.worker_process_init.connect
def _configure_logs(**_: Any) -> None:
    configure_logs(settings)


@signals.worker_ready.connect
def _clear_drain_mark(**_: Any) -> None:
    drain_mark(os.getpid()).unlink(missing_ok=True)


@signals.worker_shutting_down.connect
def _set_drain_mark(**_: Any) -> None:
    settings.run_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_run_file(drain_mark(os.getpid()), f"{time.monotonic()}")


@signals.worker_shutdown.connect
def _forget_drain_mark(**_: Any) -> None:
    drain_mark(os.getpid()).unlink(missing_ok=True)
