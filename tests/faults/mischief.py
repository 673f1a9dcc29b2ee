"""What is done to a host while it works: one thing after the other, by lot, and all undone at the end."""

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hosts import Host

_LEASE = 4.0


@dataclass
class Mischief:
    """Does harm to a host; `done` counts what was done, by name."""

    host: Host
    chance: random.Random
    long: bool
    """Whether there is time for what takes a minute."""
    done: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    _later: list[threading.Timer] = field(default_factory=list)

    def next(self) -> None:
        """Do one thing, chosen by lot."""
        names, weights = zip(*_WEIGHTS.items(), strict=True)
        while True:
            name = self.chance.choices(names, weights)[0]
            if (self.long or name not in _LONG) and getattr(self, f"_{name}")():
                self.done[name] += 1
                return

    def each_once(self) -> None:
        """Do everything that is possible here once."""
        for name in _WEIGHTS:
            if (self.long or name not in _LONG) and getattr(self, f"_{name}")():
                self.done[name] += 1
                time.sleep(self.chance.uniform(0.2, 1.0))

    def settle(self) -> None:
        """Wait until everything is undone."""
        for timer in self._later:
            timer.join()

    def _kill_part(self, part: str) -> bool:
        killed = self.host.kill(part)
        self.kills += killed
        return killed

    def _kill_ingest(self) -> bool:
        return self._kill_part("ingest")

    def _kill_dispatch(self) -> bool:
        return self._kill_part("dispatch")

    def _kill_worker(self) -> bool:
        return self._kill_part("worker")

    def _kill_child(self) -> bool:
        return self._kill_one_of(self.host.below("worker", "spawn_main"))

    def _kill_reader(self) -> bool:
        return self._kill_one_of(
            [
                pid
                for part in ("worker", "ingest")
                for pid in self.host.below(part, "restoration.masters.sandbox")
            ]
        )

    def _kill_one_of(self, pids: list[int]) -> bool:
        if not pids:
            return False
        try:
            os.kill(self.chance.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            return False
        self.kills += 1
        return True

    def _kill_broker(self) -> bool:
        self.host.restart_broker(keep=True)
        self.kills += 1
        return True

    def _wipe_broker(self) -> bool:
        self.host.restart_broker(keep=False)
        self.kills += 1
        return True

    def _broker_away(self) -> bool:
        self.host.restart_broker(keep=True, away=60.0)
        self.kills += 1
        return True

    def _restart_database(self) -> bool:
        return self.host.restart_database()

    def _freeze_child(self) -> bool:
        pids = self.host.below("worker", "spawn_main")
        return bool(pids) and self._freeze(self.chance.choice(pids))

    def _freeze_dispatch(self) -> bool:
        pid = self.host.pid("dispatch")
        return pid is not None and self._freeze(pid)

    def _freeze_ingest(self) -> bool:
        pid = self.host.pid("ingest")
        return pid is not None and self._freeze(pid)

    def _freeze(self, pid: int) -> bool:
        """Stop a process for longer than a lease lasts."""
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return False

        def thaw() -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        self._after(_LEASE * self.chance.uniform(1.3, 2.5), thaw)
        return True

    def _partition(self) -> bool:
        """Lose whatever a part and one of its servers send each other, for longer than a lease lasts."""
        if not self.host.relays:
            return False
        relay = self.host.relays[self.chance.choice(sorted(self.host.relays))]
        self.chance.choice((relay.swallow, relay.stall, relay.cut))()
        self._after(_LEASE * self.chance.uniform(1.3, 2.5), relay.heal)
        return True

    def _restart_worker_gently(self) -> bool:
        return self.host.kill("worker", signal.SIGTERM)

    def _full_disk(self) -> bool:
        """Leave no room where derivatives go, then make room."""
        if not _is_mount(self.host.outbox):
            return False
        stopper = self.host.outbox / ".fill"
        status = os.statvfs(self.host.outbox)
        try:
            with stopper.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, max(1, status.f_bavail * status.f_frsize - 8192))
        except OSError:
            return False  # full, or read-only, already
        self._after(self.chance.uniform(3, 6), lambda: _until(lambda: _gone(stopper)))
        return True

    def _read_only_outbox(self) -> bool:
        if not _is_mount(self.host.outbox):
            return False
        if not _mount("-o", "remount,ro", str(self.host.outbox)):
            return False  # somebody writes there now
        self._after(
            self.chance.uniform(3, 6),
            lambda: _until(lambda: _mount("-o", "remount,rw", str(self.host.outbox))),
        )
        return True

    def _inbox_away(self) -> bool:
        """Take the share of the inbox away, so that an empty folder is seen, and bring it back."""
        if not _is_mount(self.host.inbox):
            return False
        source = self.host.folder / "share"
        if subprocess.run(
            ["umount", "-l", str(self.host.inbox)], check=False, capture_output=True
        ).returncode:
            return False
        self._after(
            self.chance.uniform(6, 12),
            lambda: _until(lambda: _mount("--bind", str(source), str(self.host.inbox))),
        )
        return True

    def _after(self, seconds: float, undo: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, undo)
        timer.start()
        self._later = [one for one in self._later if one.is_alive()] + [timer]


_LONG = {"broker_away"}
_WEIGHTS = {
    "kill_child": 12,
    "kill_worker": 6,
    "kill_ingest": 6,
    "kill_dispatch": 5,
    "kill_reader": 5,
    "kill_broker": 4,
    "wipe_broker": 2,
    "restart_database": 3,
    "freeze_child": 3,
    "freeze_dispatch": 1,
    "freeze_ingest": 1,
    "partition": 3,
    "restart_worker_gently": 2,
    "full_disk": 1,
    "read_only_outbox": 1,
    "inbox_away": 1,
    "broker_away": 0.4,
}


def mount_folders(host: Host, size: int) -> bool:
    """Put the outbox on a small file system and the inbox on a bind mount; False without the right to."""
    share = host.folder / "share"
    share.mkdir()
    if not _mount("-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(host.outbox)):
        return False
    return _mount("--bind", str(share), str(host.inbox))


def unmount_folders(host: Host) -> None:
    """Undo `mount_folders`."""
    for folder in (host.inbox, host.outbox):
        while _is_mount(folder):
            subprocess.run(["umount", "-l", str(folder)], check=True)


def _mount(*words: str) -> bool:
    return not subprocess.run(["mount", *words], check=False, capture_output=True).returncode


def _is_mount(folder: Path) -> bool:
    # A bind mount of the same file system is none to os.path.ismount.
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return str(folder.resolve()) in points


def _gone(path: Path) -> bool:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False  # the file system is read-only now
    return True


def _until(attempt: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not attempt() and time.monotonic() < deadline:
        time.sleep(0.2)
