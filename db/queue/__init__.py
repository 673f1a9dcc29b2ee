"""Jobs: register, enqueue, claim, finish, wait, command."""

from db.queue import (
    commands,
    jobs,
)
from db.queue.commands import (
    ReprocessResult,
    plan_reprocess,
)
from db.queue.delays import transient_delay
from db.queue.enqueue import MAX_ATTEMPTS
from db.queue.intake import (
    quarantine_sighting,
    register,
    register_quarantined,
)
from db.queue.job_files import (
    job_file_names,
    job_scan_paths,
)
from db.queue.leases import Lease
from db.queue.publishing import (
    count_started,
    mark_published,
    reset_published,
    unpublished,
)
from db.queue.reaping import (
    Heartbeat,
    last_heartbeats,
    reap_expired,
    reap_unresponsive,
)
from db.queue.waits import (
    delay_job,
    end_waits,
    inspect_queue,
    recover_queue,
)

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
    "reap_unresponsive",
    "recover_queue",
    "register",
    "register_quarantined",
    "reset_published",
    "transient_delay",
    "unpublished",
]
