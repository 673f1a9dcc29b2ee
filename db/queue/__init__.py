"""Jobs: register, enqueue, claim, finish, wait, command."""

from db.queue import commands, jobs
from db.queue.commands import Reprocessed, foresee
from db.queue.delays import transient_delay
from db.queue.enqueue import (
    MAX_ATTEMPTS,
    Sign,
    count_begun,
    mark_published,
    reap_expired,
    reap_silent,
    reset_published,
    signs_of_life,
    unpublished,
)
from db.queue.intake import (
    count_known,
    mark_gone,
    paths_of,
    places_at,
    places_left,
    quarantine_sighting,
    register,
    register_quarantined,
)
from db.queue.jobs import Lease, files_of, places_of
from db.queue.waits import hold_off, inspect_queue, let_go, recover_queue

__all__ = [
    "MAX_ATTEMPTS",
    "Lease",
    "Reprocessed",
    "Sign",
    "commands",
    "count_begun",
    "count_known",
    "files_of",
    "foresee",
    "hold_off",
    "inspect_queue",
    "jobs",
    "let_go",
    "mark_gone",
    "mark_published",
    "paths_of",
    "places_at",
    "places_left",
    "places_of",
    "quarantine_sighting",
    "reap_expired",
    "reap_silent",
    "recover_queue",
    "register",
    "register_quarantined",
    "reset_published",
    "signs_of_life",
    "transient_delay",
    "unpublished",
]
