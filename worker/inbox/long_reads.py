"""Long reads: threads that register slow and large files beside the others, smaller ones first.

A file waits only for smaller files of its own size class. A file whose header did not answer quickly waits
only for others of that kind.
"""

import itertools
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog

from restoration import Reader
from worker.inbox.admission import SlowRead
from worker.inbox.intake import ExaminedFile, Intake, IntakeResult, ReadCancelled

_SIZE_CLASSES: Final = (1 << 30, 1 << 36)
"""Bytes: files up to 1 GiB, up to 64 GiB, and above each have a thread of their own."""

_SLOW_HEADERS: Final = -1
"""The class of files whose headers are slow to read."""

_LOGGED_BYTES: Final = 1 << 30
_JOIN_SECONDS: Final = 10.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FinishedRead:
    """A file with its result, or with the error that kept it from being registered."""

    path: bytes
    outcome: IntakeResult | Exception


class LargeFile(SlowRead):
    """A file whose slow header is read now, and which is also large."""

    def __init__(self, file: ExaminedFile) -> None:
        super().__init__("it is large")
        self.file = file


@dataclass(order=True, slots=True)
class _Request:
    size: int
    number: int
    path: bytes = field(compare=False)
    file: ExaminedFile | None = field(compare=False)
    """None while the header is to be read."""


class LongReads:
    """One thread for each size class; it starts with the first file of that class and ends with `close`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._paths: set[bytes] = set()
        self._finished: queue.SimpleQueue[FinishedRead] = queue.SimpleQueue()
        self._numbers = itertools.count()
        self._stop = threading.Event()
        self._reader = Reader()
        self._requests: dict[int, queue.PriorityQueue[_Request]] = {}
        self._threads: list[threading.Thread] = []

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, path: bytes) -> bool:
        return path in self._paths

    def examine(self, path: bytes) -> None:
        """Queue a file whose header takes long to read."""
        self._put(_SLOW_HEADERS, _Request(0, next(self._numbers), path, None))

    def register(self, file: ExaminedFile) -> None:
        """Queue a large file that is to be read to its end and recorded."""
        size = file.seen.size
        size_class = sum(size > limit for limit in _SIZE_CLASSES)
        self._put(size_class, _Request(size, next(self._numbers), file.seen.path, file))

    def finished(self) -> Iterator[FinishedRead]:
        """Yield the files that were finished since the last call."""
        while not self._finished.empty():
            finished = self._finished.get()
            self._paths.discard(finished.path)
            yield finished

    def stop(self) -> None:
        """Cancel the running reads between two chunks; nothing is recorded of them."""
        self._stop.set()
        self._reader.interrupt()
        for requests in self._requests.values():
            requests.put(_Request(-1, -1, b"", None))  # wakes the thread

    def close(self) -> None:
        """Stop, and wait for the threads."""
        self.stop()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        self._reader.close()

    def _put(self, size_class: int, request: _Request) -> None:
        self._paths.add(request.path)
        if size_class not in self._requests:
            requests: queue.PriorityQueue[_Request] = queue.PriorityQueue()
            self._requests[size_class] = requests
            name = f"long reads {size_class}"
            thread = threading.Thread(target=self._serve, args=(requests,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._requests[size_class].put(request)

    def _serve(self, requests: "queue.PriorityQueue[_Request]") -> None:
        while not self._stop.is_set():
            request = requests.get()
            if self._stop.is_set():
                return
            try:
                outcome: IntakeResult | Exception = self._register(request)
            except Exception as error:  # noqa: BLE001  (the ingester reports it, and the next file is read)
                outcome = error
            self._finished.put(FinishedRead(request.path, outcome))

    def _register(self, request: _Request) -> IntakeResult:
        file = request.file
        if file is None:
            examined = self._intake.examine(request.path, quickly=False, reader=self._reader)
            if isinstance(examined, IntakeResult):
                return examined
            if not examined.small:
                raise LargeFile(examined)
            file = examined
        elif file.seen.size >= _LOGGED_BYTES:
            _log.info(
                "reading a large file; smaller ones are not delayed",
                file=file.seen.display,
                bytes=file.seen.size,
            )
        return self._intake.register(file, self._check_stop)

    def _check_stop(self, _done: int, _total: int) -> None:
        if self._stop.is_set():
            raise ReadCancelled
