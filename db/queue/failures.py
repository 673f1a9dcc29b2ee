"""Failures that the queue itself records, and the columns of a job that hold a failure."""

from typing import Final

from db.values import Problem

WORKER_DIED: Final = "worker-died"
"""Failure code of a job whose worker process sent no heartbeat any more."""

CANCELLED_BY_COMMAND: Final = Problem(
    "cancelled", "a person cancelled it", "run `saek retry` to queue it again"
)
"""Failure of a job that is cancelled on request."""


def failure_values(problem: Problem) -> dict[str, str]:
    """Return the columns of a job that hold a problem."""
    return {
        "failure_code": problem.code,
        "failure_reason": problem.reason,
        "failure_remedy": problem.remedy,
    }
