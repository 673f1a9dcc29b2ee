"""The settle tracker: a file is complete when its size and modification time have not changed for a while."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileStat:
    """Size, modification time and inode of a file."""

    size: int
    mtime_ns: int
    inode: int


class SettleTracker:
    """The files that are waited for; times are seconds on a monotonic clock."""

    def __init__(self, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._waiting: dict[bytes, tuple[FileStat | None, float]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, path: bytes) -> bool:
        return path in self._waiting

    def notice(self, path: bytes, now: float) -> None:
        """Begin to wait for `path`, or begin again after a change."""
        self._waiting[path] = (None, now)

    def forget(self, path: bytes) -> None:
        """Stop waiting for `path`."""
        self._waiting.pop(path, None)

    def is_settled(self, path: bytes, stat: FileStat | None, now: float) -> bool:
        """Note the present state of a file; return whether it is complete, which ends the wait.

        `stat` is None for a file that is gone, which also ends the wait.
        """
        if stat is None:
            self._waiting.pop(path, None)
            return False
        before, since = self._waiting.get(path, (None, now))
        if stat != before:
            self._waiting[path] = (stat, now)
            return False
        if now - since < self._settle_seconds:
            return False
        del self._waiting[path]
        return True

    def waiting(self) -> list[bytes]:
        """Return the paths that are waited for, longest first."""
        return list(self._waiting)
