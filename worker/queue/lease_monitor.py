"""The lease monitor: which leases ran out, measured on the monotonic clock of this process.

A lease has run out when no heartbeat arrived here for as long as the lease lasts. The monotonic clock cannot
be set and stops while the host sleeps: a wall clock that jumps takes no job from a live worker, and leaves
none with a dead one.
"""

from collections.abc import Iterable

from db.queue import Heartbeat


class LeaseMonitor:
    """Remembers when the last heartbeat of each lease was first seen."""

    def __init__(self) -> None:
        self._first_seen: dict[Heartbeat, float] = {}

    def expired(self, signs: Iterable[Heartbeat], now: float) -> list[Heartbeat]:
        """Return the heartbeats that did not change for longer than their lease; `now` is in seconds."""
        self._first_seen = {sign: self._first_seen.get(sign, now) for sign in signs}
        return [sign for sign, since in self._first_seen.items() if now - since >= sign.lease.total_seconds()]

    def reset(self) -> None:
        """Restart every lease, as after a time in which no heartbeat could arrive."""
        self._first_seen.clear()
