"""Client of a reader process, which can crash, hang or run out of memory without harm to this process.

A scan may be malicious, or damaged in a way that crashes its decoder. So headers and pixels are read for the
first time by a separate process (`process`), with limits on memory and processor time and without this
process's secrets. If it dies, ReaderFailed is raised about the file, and the next file gets a new process. A
file that was read there to its last pixel is read again by this process for the work itself.

A reader process takes half a second to start, so it reads many files. Accepted risk: whoever takes it over
can read what its user can read, and can answer for the files that follow.
"""

import atexit
import functools
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from restoration.errors import (
    MasterUnavailable,
    OutOfMemory,
    ReaderFailed,
    RestorationError,
    Transient,
    display_name,
)
from restoration.masters.facts import Limits, ScanFacts
from restoration.masters.sandbox import protocol
from restoration.masters.sandbox.overview import MasterOverview, decode_overview, max_raw_bytes
from restoration.masters.strips import RowListener

_MAX_FILES: Final = 1_000
"""Files that one process reads before it is replaced, in case libraries leak memory."""

_START_SECONDS: Final = 60.0
_IMPORT_FOLDER: Final = Path(__file__).parents[3]
"""Folder that this package is imported from."""
_KEPT_VARIABLES: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG")
_KEPT_PREFIXES: Final = ("LC_", "OMP_", "VIPS_", "MALLOC_", "GLIBC_")


_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class Reader:
    """A process that reads files for this one; started when needed, and again after it died."""

    _process: "subprocess.Popen[bytes] | None" = None
    _files: int = 0
    _owner: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def identify(self, path: Path, limits: Limits) -> ScanFacts:
        """Return what the header says.

        Raises as `restoration.masters.identify.identify`, or ReaderFailed or Transient.
        """
        message = {
            "do": "identify",
            "path": protocol.encode_path(path),
            "limits": protocol.encode_limits(limits),
        }
        request = _Request(message, path, limits, 0, None)
        return self._ask(request, lambda reply, _: protocol.decode_facts(reply.get("facts")))

    def overview(
        self, path: Path, limits: Limits, long_side: int, scratch: Path, listener: RowListener | None = None
    ) -> MasterOverview:
        """Read all pixels once, and return the overview reduced to `long_side`.

        Raises as `restoration.masters.identify.identify` and `Master.overview`, or ImplausiblePixels,
        ReaderFailed, Transient, or whatever the listener raises.
        """
        message = {
            "do": "overview",
            "path": protocol.encode_path(path),
            "limits": protocol.encode_limits(limits),
            "long_side": long_side,
            "scratch": protocol.encode_path(scratch),
        }
        request = _Request(message, path, limits, max_raw_bytes(long_side), listener)
        return self._ask(request, decode_overview)

    def interrupt(self) -> None:
        """Kill the process, from another thread: the call that waits for its answer raises OutOfMemory."""
        process = self._process
        if process is not None and self._owner == os.getpid():
            process.kill()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            _end(process)

    def _ask(self, request: "_Request", parse: Callable[[dict[str, Any], bytes], T]) -> T:
        with self._lock:
            try:
                reply, raw = self._exchange(request)
                error = _reported_error(reply, request)
                if error is None:
                    return parse(reply, raw)
            except protocol.ProtocolError as violation:
                self.close()
                raise _failed(request.path, f"its reader sent {violation}") from violation
            except BaseException:
                # It is dead, stuck, or busy with something that is no longer needed.
                self.close()
                raise
        raise error

    def _exchange(self, request: "_Request") -> tuple[dict[str, Any], bytes]:
        """Send the request, and return the last message of the answer."""
        process = self._running()
        pipe = _TimedPipe(process, request.path, request.limits.reader_silent_seconds)
        try:
            protocol.write_all(_descriptor(process.stdin), protocol.frame(request.message))
        except BrokenPipeError:
            raise _death_error(process, request) from None
        while (got := protocol.receive(pipe.read, request.max_raw)) is not None:
            rows = got[0].get("rows")
            if rows is None:
                return got
            if request.listener:
                done, total = _row_counts(rows)
                request.listener(done, total)
        raise _death_error(process, request)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._owner != os.getpid():
            self._process = None  # it belongs to the process that this one was forked from
        if self._process is not None and (self._files >= _MAX_FILES or self._process.poll() is not None):
            self.close()
        if self._process is None:
            self._process, self._files, self._owner = _started(), 0, os.getpid()
        self._files += 1
        return self._process


@functools.cache
def shared_reader() -> Reader:
    """Return the reader that this process shares for all its files; it ends with this process."""
    reader = Reader()
    atexit.register(reader.close)
    return reader


@dataclass(frozen=True, slots=True)
class _Request:
    message: dict[str, Any]
    path: Path
    limits: Limits
    max_raw: int
    """Raw bytes that the answer may have."""
    listener: RowListener | None


class _TimedPipe:
    """Reads from a process with a time limit."""

    def __init__(self, process: "subprocess.Popen[bytes]", path: Path, silent_seconds: float) -> None:
        self._process, self._path, self._seconds = process, path, silent_seconds
        self._poll = select.poll()
        self._poll.register(_descriptor(process.stdout), select.POLLIN)

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes.

        Raises ReaderFailed if the process is busy without progress for too long, else MasterUnavailable.
        """
        worked, began = _processor_seconds(self._process.pid), time.monotonic()
        while not self._poll.poll(min(1000.0, 250.0 * self._seconds + 20.0)):
            if time.monotonic() - began < self._seconds:
                continue
            if _processor_seconds(self._process.pid) - worked > self._seconds / 4:
                raise _failed(self._path, f"reading it made no progress for {self._seconds:,.0f} s")
            raise MasterUnavailable(
                reason=f"the storage that holds it did not answer for {self._seconds:,.0f} s",
                remedy="check the disk or the share; work continues automatically",
                path=self._path,
            )
        return os.read(_descriptor(self._process.stdout), size)


def _started() -> "subprocess.Popen[bytes]":
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES)
    }
    kept["OPENBLAS_NUM_THREADS"] = (
        "1"  # more threads would only spin: its sums are short (5 s instead of 0.4 s)
    )
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_IMPORT_FOLDER), kept.get("PYTHONPATH"))))
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "restoration.masters.sandbox.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env=kept,
        )
    except OSError as error:
        raise _unstartable(str(error)) from error
    try:
        ready = protocol.receive(_TimedPipe(process, Path(), _START_SECONDS).read, 0)
    except (OSError, protocol.ProtocolError, RestorationError) as error:
        _end(process)
        raise _unstartable(str(error)) from error
    except BaseException:  # an interrupt: no one would read from the process
        _end(process)
        raise
    if ready is None or "ready" not in ready[0]:
        raise _unstartable(f"it ended with {_end(process)}")
    return process


def _end(process: "subprocess.Popen[bytes]") -> int:
    """End a process, if it still runs, and return its exit code."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    return process.wait()


def _unstartable(detail: str) -> Transient:
    return Transient(
        reason=f"the process that reads scans cannot be started ({detail})",
        remedy="check whether memory or processes are exhausted; work continues automatically",
    )


def _descriptor(pipe: Any) -> int:
    return int(pipe.fileno())


def _processor_seconds(pid: int) -> float:
    """Return the processor time of a process in seconds; 0 if it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _death_error(process: "subprocess.Popen[bytes]", request: _Request) -> RestorationError:
    code, limits = process.wait(), request.limits
    if code == -signal.SIGKILL:
        return OutOfMemory(
            reason="the process that read it was killed, as happens when the machine runs out of memory",
            remedy="free some memory; work continues automatically",
            path=request.path,
        )
    if code == -signal.SIGXCPU:
        return _failed(
            request.path,
            f"reading it takes more than {limits.reader_cpu_seconds:,} s of processor time",
            "raise SAEK_READER_CPU_SECONDS if it really is that large, then retry it",
        )
    how = f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with {code}"
    return _failed(request.path, f"its reader {how}")


def _reported_error(reply: dict[str, Any], request: _Request) -> RestorationError | None:
    if "error" in reply:
        return protocol.decode_error(reply["error"], request.path)
    if "exhausted" in reply:
        return _failed(
            request.path,
            f"reading it takes more than {request.limits.reader_bytes / 1e9:,.1f} GB of memory",
            "raise SAEK_READER_BYTES if it really is that large, then retry it",
        )
    if "failed" not in reply:
        return None
    _log.info("the reader of %s failed: %s", display_name(request.path), reply["failed"])
    return _failed(request.path, "it cannot be decoded")


def _failed(path: Path, reason: str, remedy: str = "copy or scan it again") -> ReaderFailed:
    return ReaderFailed(reason=reason, remedy=remedy, path=path)


def _row_counts(value: object) -> tuple[int, int]:
    match value:
        case [int(done), int(total)]:
            return done, total
    raise protocol.ProtocolError("malformed row counts")
