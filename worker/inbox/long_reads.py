"""How files that take long to read are taken in beside the others: in threads, smaller ones first.

A file waits only for smaller ones of its own class of sizes. One whose header did not answer quickly waits
for others of that kind only.
"""

import itertools
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from restoration import Reader
from worker.inbox.intake import ExaminedFile, Intake, IntakeResult, ReadCancelled, SlowRead

_CLASSES: Final = (1 << 30, 1 << 36)
"""Bytes: plates up to 1 GiB, those up to 64 GiB, and all that are larger each have a thread of their own."""

_TOLD: Final = 1 << 30
_JOIN_SECONDS: Final = 10.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FinishedRead:
    """What became of a file, or the failure that kept it from being taken in."""

    path: bytes
    outcome: IntakeResult | Exception


@dataclass(order=True, slots=True)
class _Wish:
    size: int
    number: int
    path: bytes = field(compare=False)
    file: ExaminedFile | None = field(compare=False)
    """None where the header is still to be looked at."""


class LongReads:
    """The threads, each of which begins with its first file and ends with `close`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._paths: set[bytes] = set()
        self._ended: queue.SimpleQueue[FinishedRead] = queue.SimpleQueue()
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._reader = Reader()
        self._wishes: dict[int, queue.PriorityQueue[_Wish]] = {}
        self._threads: list[threading.Thread] = []

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: bytes) -> bool:
        return path in self._paths

    def look_at(self, path: bytes) -> None:
        """Take in a file whose header takes long to read."""
        self._put(-1, _Wish(0, next(self._numbers), path, None))

    def read(self, file: ExaminedFile) -> None:
        """Read a large file to its end and enter it."""
        size = file.seen.size
        lane = sum(size > most for most in _CLASSES)
        self._put(lane, _Wish(size, next(self._numbers), file.seen.path, file))

    def ended(self) -> Iterator[FinishedRead]:
        """Yield what ended since it was asked last."""
        while not self._ended.empty():
            ended = self._ended.get()
            self._paths.discard(ended.path)
            yield ended

    def stop(self) -> None:
        """Have what is under way be given up, between two slices of a file; nothing is recorded of it."""
        self._stop.set()
        self._reader.interrupt()
        for lane in self._wishes.values():
            lane.put(_Wish(-1, -1, b"", None))

    def close(self) -> None:
        """Stop, and wait for the threads."""
        self.stop()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        self._reader.close()

    def _put(self, lane: int, wish: _Wish) -> None:
        self._paths.add(wish.path)
        if lane not in self._wishes:
            self._wishes[lane] = queue.PriorityQueue()
            name = f"long reads {lane}"
            thread = threading.Thread(target=self._serve, args=(self._wishes[lane],), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._wishes[lane].put(wish)

    def _serve(self, wishes: "queue.PriorityQueue[_Wish]") -> None:
        while not self._stop.is_set():
            wish = wishes.get()
            if self._stop.is_set():
                return
            try:
                outcome: IntakeResult | Exception = self._take_in(wish)
            except Exception as error:  # noqa: BLE001  (the ingester tells of it, and the next file goes on)
                outcome = error
            self._ended.put(FinishedRead(wish.path, outcome))

    def _take_in(self, wish: _Wish) -> IntakeResult:
        file = wish.file
        if file is None:
            examined = self._intake.examine(wish.path, quickly=False, reader=self._reader)
            if isinstance(examined, IntakeResult):
                return examined
            if not examined.small:
                raise LargeFile(examined)
            file = examined
        elif file.seen.size >= _TOLD:
            _log.info("reading a large file; others pass it", file=file.seen.display, bytes=file.seen.size)
        return self._intake.register(file, self._go_on)

    def _go_on(self, _done: int, _total: int) -> None:
        if self._stop.is_set():
            raise ReadCancelled


class LargeFile(SlowRead):
    """A file whose header has been looked at by now, and that is large besides."""

    def __init__(self, file: ExaminedFile) -> None:
        super().__init__("it is large")
        self.file = file
