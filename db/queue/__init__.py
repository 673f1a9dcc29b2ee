"""Jobs: register, enqueue, claim, finish, wait, command."""

from db.queue import commands, jobs
from db.queue.commands import ReprocessResult, plan_reprocess
from db.queue.delays import transient_delay
from db.queue.enqueue import (
    MAX_ATTEMPTS,
    Heartbeat,
    count_started,
    last_heartbeats,
    mark_published,
    reap_expired,
    reap_silent,
    reset_published,
    unpublished,
)
from db.queue.intake import (
    quarantine_sighting,
    register,
    register_quarantined,
)
from db.queue.jobs import Lease, job_file_names, job_scan_paths
from db.queue.waits import delay_job, end_waits, inspect_queue, recover_queue

__all__ = [
    "MAX_ATTEMPTS",
    "Heartbeat",
    "Lease",
    "ReprocessResult",
    "commands",
    "count_started",
    "delay_job",
    "end_waits",
    "inspect_queue",
    "job_file_names",
    "job_scan_paths",
    "jobs",
    "last_heartbeats",
    "mark_published",
    "plan_reprocess",
    "quarantine_sighting",
    "reap_expired",
    "reap_silent",
    "recover_queue",
    "register",
    "register_quarantined",
    "reset_published",
    "transient_delay",
    "unpublished",
]
