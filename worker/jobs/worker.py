"""The worker: takes messages of both lanes and runs their jobs in child processes."""

import os
import socket
import threading
import warnings
from typing import Any

from celery import signals
from celery.platforms import SecurityWarning

from worker.exits import Exit
from worker.jobs.drain import clear_drain_mark, set_drain_mark
from worker.outbox.mirror import start_mirror
from worker.parts.startup import wait_for_record
from worker.parts.wait_reporter import WaitReporter
from worker.queue.broker import LANES
from worker.queue.celery_app import create_app
from worker.queue.consumer_watchdog import start_consumer_watchdog
from worker.queue.refused_writes import write_refusal
from worker.settings import Settings
from worker.storage.folders import refuse_unwritable, require_safe_folders


def run_worker(settings: Settings) -> Exit:
    """Serve both lanes, interactive jobs first, with `concurrency` processes until SIGTERM or SIGINT.

    Raises:
        HomeError: the folders are not safe to use, or the outbox is not writable.
        db.errors.SchemaOutOfDate: the tables are not those of this release.
    """
    require_safe_folders(settings)
    refuse_unwritable(settings.outbox_path)
    wait_for_record(settings, WaitReporter(settings, "worker start"), threading.Event())
    warnings.simplefilter("ignore", SecurityWarning)  # of pickle as root; only JSON is accepted
    _mark_shutdown(settings)
    worker = create_app(settings).Worker(
        pool="prefork",
        concurrency=settings.concurrency,
        queues=list(LANES),
        hostname=f"saek-{os.getpid()}@{socket.gethostname()}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        loglevel="WARNING",  # of the libraries; configure_logs sets ours
        optimization="fair",
        quiet=True,
    )
    write_refusal.report_to(settings)
    stop = start_consumer_watchdog(worker, settings)
    start_mirror(settings, stop)
    worker.start()
    stop.set()
    return Exit.OK if not worker.exitcode else Exit.INTERNAL


def _mark_shutdown(settings: Settings) -> None:
    """Have the drain mark set when the shutdown begins, and removed at start and end."""

    def clear(**_: Any) -> None:
        clear_drain_mark(settings)

    def set_mark(**_: Any) -> None:
        set_drain_mark(settings)

    signals.worker_ready.connect(clear, weak=False)
    signals.worker_shutting_down.connect(set_mark, weak=False)
    signals.worker_shutdown.connect(clear, weak=False)
