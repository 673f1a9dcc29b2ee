"""When a file is whole: its size and modification time stood still for a while."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileStat:
    """What one look at a file saw."""

    size: int
    mtime_ns: int
    inode: int


class SettleTracker:
    """Files that were noticed and are waited for; times are seconds on a monotonic clock."""

    def __init__(self, settle_seconds: float) -> None:
        self._settle_seconds = settle_seconds
        self._waiting: dict[bytes, tuple[FileStat | None, float]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, path: bytes) -> bool:
        return path in self._waiting

    def notice(self, path: bytes, now: float) -> None:
        """Begin to wait for `path`, or begin anew if something happened to it."""
        self._waiting[path] = (None, now)

    def forget(self, path: bytes) -> None:
        """Wait for `path` no longer."""
        self._waiting.pop(path, None)

    def look(self, path: bytes, seen: FileStat | None, now: float) -> bool:
        """Take one look into account; True when the file is whole, which ends the waiting.

        `seen` is None for a file that is gone, which ends the waiting too.
        """
        if seen is None:
            self._waiting.pop(path, None)
            return False
        before, since = self._waiting.get(path, (None, now))
        if seen != before:
            self._waiting[path] = (seen, now)
            return False
        if now - since < self._settle_seconds:
            return False
        del self._waiting[path]
        return True

    def waiting(self) -> list[bytes]:
        """The paths that are waited for, longest first."""
        return list(self._waiting)
