"""Delays before a job is tried again."""

import datetime as dt
from typing import Final

_BACKOFFS: Final = tuple(dt.timedelta(seconds=seconds) for seconds in (10, 60, 360, 600))
_SHORTEST_WAIT: Final = dt.timedelta(seconds=10)
_LONGEST_WAIT: Final = dt.timedelta(minutes=5)

LONGEST_DELAY: Final = max(*_BACKOFFS, _LONGEST_WAIT)
"""No job is delayed longer. If one seems to be, the clock was turned back since."""


def backoff(attempt: int) -> dt.timedelta:
    """Return the delay after the `attempt`-th failure: 10 s, 1 min, 6 min, then 10 min."""
    return _BACKOFFS[min(attempt, len(_BACKOFFS)) - 1]


def transient_delay(waited: dt.timedelta) -> dt.timedelta:
    """Return the delay before the next try of a job that has `waited` for a transient cause to end.

    Half the time waited so far: at least 10 s, at most 5 min, however often it was tried.
    """
    return min(max(waited / 2, _SHORTEST_WAIT), _LONGEST_WAIT)
