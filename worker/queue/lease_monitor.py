"""Which workers have fallen silent, by the clock of the process that listens.

A lease counts as run out when no sign of life came while a whole one passed here, on the clock that nobody
turns and that stands still while the host sleeps. A wall clock that jumps takes no job from a worker, and
leaves none with a dead one.
"""

from collections.abc import Iterable

from db.queue import Heartbeat


class LeaseMonitor:
    """Remembers when it first heard each worker's last sign of life."""

    def __init__(self) -> None:
        self._heard: dict[Heartbeat, float] = {}

    def expired(self, signs: Iterable[Heartbeat], now: float) -> list[Heartbeat]:
        """Return the signs that stood here for longer than their lease; `now` is in seconds of any origin."""
        self._heard = {sign: self._heard.get(sign, now) for sign in signs}
        return [sign for sign, since in self._heard.items() if now - since >= sign.lease.total_seconds()]

    def reset(self) -> None:
        """Give every worker a whole lease anew, as after a time in which none could be heard."""
        self._heard.clear()
