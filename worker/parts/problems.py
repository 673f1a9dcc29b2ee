"""Failures as the record keeps them, and the transient ones, which are waited for without an attempt."""

import errno

from db.errors import DatabaseUnavailable
from db.values import Problem
from restoration import ModelError, RestorationError, Transient

_OUT_OF_MEMORY = Problem(
    "out-of-memory",
    "there was not enough memory",
    "stop other programs, or lower SAEK_CONCURRENCY; work continues automatically",
)


def problem_of(error: RestorationError, times: int = 1) -> Problem:
    """Return the error, which occurred `times` times, as the record keeps it."""
    again = f", {times} times" if times > 1 else ""
    return Problem(code=error.code, reason=error.reason + again, remedy=error.remedy)


def transient_cause(error: Exception) -> Problem | None:
    """Return the cause to wait for, None if the failure is not transient.

    The death of a worker process is not transient, whatever the cause: a scan that exhausts the memory and a
    machine that had too little of it cannot be distinguished from outside, and the first would be retried
    forever.
    """
    match error:
        case Transient() | ModelError() | DatabaseUnavailable():
            return Problem(error.code, error.reason, error.remedy)
        case MemoryError():
            return _OUT_OF_MEMORY
        case OSError() if error.errno == errno.ENOMEM:
            return _OUT_OF_MEMORY
        case OSError() if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return Problem(
                "no-space", f"a disk is full ({error})", "free some space; work continues automatically"
            )
        case _:
            return None
