"""Which failures pass by themselves, so that the work waits for them and no attempt is spent."""

import errno

from db.errors import DatabaseUnavailable
from db.values import Problem
from restoration import ModelError, Transient

_OUT_OF_MEMORY = Problem(
    "out-of-memory",
    "main memory did not suffice",
    "end other programs, or lower SAEK_CONCURRENCY; work goes on by itself",
)


def transient_cause(error: Exception) -> Problem | None:
    """Return what is waited for after this failure, None if it is no failure that passes.

    The death of a worker process is none, whoever killed it: a scan that exhausts the memory and a machine
    that had too little look the same from outside, and the first would come back for ever.
    """
    match error:
        case Transient() | ModelError() | DatabaseUnavailable():
            return Problem(error.code, error.reason, error.remedy)
        case MemoryError():
            return _OUT_OF_MEMORY
        case OSError() if error.errno == errno.ENOMEM:
            return _OUT_OF_MEMORY
        case OSError() if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return Problem("no-space", f"a disk is full ({error})", "free some space; work goes on by itself")
        case _:
            return None
