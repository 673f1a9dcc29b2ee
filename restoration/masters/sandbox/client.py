"""How a file is read by a process that can crash, hang or run out of memory without harm to this one.

A scan may be hostile or merely broken in a way that its decoder cannot bear. So headers and pixels are read
for the first time by a process of their own, with limits on memory and processor time and none of this one's
secrets (`process`). What it dies of is told as `ReaderFailed`, about the file; the next file gets a new one.
What passed there once, to its last pixel, this process reads again for the work itself.

A reading process serves many files, for it takes half a second to start. Left over: whoever takes it over can
read what its user can read, and answer for the files that come after.
"""

import atexit
import functools
import logging
import os
import re
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

import numpy as np

from restoration.arrays.luma import Float
from restoration.errors import (
    MasterUnavailable,
    OutOfMemory,
    ReaderFailed,
    RestorationError,
    Transient,
    display_name,
)
from restoration.masters.decoder_agreement import ReferenceDigests
from restoration.masters.facts import Limits, ScanFacts
from restoration.masters.sandbox import protocol, tone_protocol
from restoration.masters.strips import RowListener
from restoration.masters.tone_profile import ToneProfile

_FILES = 1_000
"""Files that one process reads; then a new one takes over, whatever the libraries have leaked."""

_MOST_PLANES = 3
_START_SECONDS = 60.0
_HERE: Final = Path(__file__).parents[3]
"""Where this very package is imported from."""
_KEPT: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG")
_KEPT_BEGINNINGS: Final = ("LC_", "OMP_", "VIPS_", "MALLOC_", "GLIBC_")


_HEX: Final = re.compile("[0-9a-f]{64}")

_log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MasterOverview:
    """What the first reading of all pixels of a master found."""

    facts: ScanFacts
    planes: Float
    """(C, h, w) in [0, 1], as of `Master.overview`."""
    samples_sha256: bytes
    """Of the samples as they are stored."""
    reference: ReferenceDigests
    """What the derivative is held against."""
    tone_profile: ToneProfile = ToneProfile()  # noqa: RUF009 - frozen
    """With which tone curve it is shown; that of the planes is sRGB in any case."""
    notes: tuple[str, ...] = ()
    """What is odd about the file and no obstacle: that of its facts, and what reading its pixels showed."""


@dataclass(slots=True)
class Reader:
    """A process that reads files for this one; started when it is needed, and again after it died."""

    _process: "subprocess.Popen[bytes] | None" = None
    _files: int = 0
    _owner: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def identify(self, path: Path, limits: Limits) -> ScanFacts:
        """Return what the header says.

        Raises as `restoration.masters.identify.identify`, or ReaderFailed or Transient.
        """
        request = {
            "do": "identify",
            "path": protocol.path_words(path),
            "limits": protocol.limits_words(limits),
        }
        return self._ask(_Question(request, path, limits, 0, None), lambda told, _: _facts_of(told))

    def overview(
        self, path: Path, limits: Limits, long_side: int, scratch: Path, listener: RowListener | None = None
    ) -> MasterOverview:
        """Read all pixels once; return the picture reduced to `long_side`.

        Raises as `restoration.masters.identify.identify` and `Master.overview`, or ImplausiblePixels,
        ReaderFailed, Transient, or whatever the listener raises.
        """
        request = {
            "do": "overview",
            "path": protocol.path_words(path),
            "limits": protocol.limits_words(limits),
            "long_side": long_side,
            "scratch": protocol.path_words(scratch),
        }
        most = 4 * _MOST_PLANES * long_side**2 + tone_protocol.MAX_BYTES
        return self._ask(_Question(request, path, limits, most, listener), _overview_of)

    def interrupt(self) -> None:
        """Kill the process, from another thread: whoever waits for its answer gets OutOfMemory."""
        process = self._process
        if process is not None and self._owner == os.getpid():
            process.kill()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            _end(process)

    def _ask(self, question: "_Question", parse: Callable[[dict[str, Any], bytes], T]) -> T:
        with self._lock:
            try:
                told, raw = self._exchange(question)
                error = _error_of(told, question)
                if error is None:
                    return parse(told, raw)
            except protocol.ProtocolError as garbled:
                self.close()
                raise _failed(question.path, f"its reader answered with {garbled}") from garbled
            except BaseException:
                # It is dead, or stuck, or in the midst of something that nobody waits for any more.
                self.close()
                raise
        raise error

    def _exchange(self, question: "_Question") -> tuple[dict[str, Any], bytes]:
        """Send the question; return the frame that ends the answer."""
        process = self._running()
        wait = _Patience(process, question.path, question.limits.reader_silent_seconds)
        try:
            _send(process, protocol.frame(question.words))
        except BrokenPipeError:
            raise _death(process, question) from None
        while (got := protocol.receive(wait.read, question.most)) is not None:
            rows = got[0].get("rows")
            if rows is None:
                return got
            if question.listener:
                done, total = _two_counts(rows)
                question.listener(done, total)
        raise _death(process, question)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._owner != os.getpid():
            self._process = None  # that of the process that this one was forked from
        if self._process is not None and (self._files >= _FILES or self._process.poll() is not None):
            self.close()
        if self._process is None:
            self._process, self._files, self._owner = _started(), 0, os.getpid()
        self._files += 1
        return self._process


@functools.cache
def shared_reader() -> Reader:
    """Return the reader of this process, which ends with it."""
    reader = Reader()
    atexit.register(reader.close)
    return reader


@dataclass(frozen=True, slots=True)
class _Question:
    words: dict[str, Any]
    path: Path
    limits: Limits
    most: int
    """Raw bytes that the answer may have."""
    listener: RowListener | None


class _Patience:
    """Reads from a process, and does not wait for ever."""

    def __init__(self, process: "subprocess.Popen[bytes]", path: Path, silent_seconds: float) -> None:
        self._process, self._path, self._seconds = process, path, silent_seconds
        self._poll = select.poll()
        self._poll.register(_pipe(process.stdout), select.POLLIN)

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes.

        Raises ReaderFailed if the process worked without a word for too long, MasterUnavailable if it waited.
        """
        worked, began = _processor_seconds(self._process.pid), time.monotonic()
        while not self._poll.poll(min(1000.0, 250.0 * self._seconds + 20.0)):
            if time.monotonic() - began < self._seconds:
                continue
            if _processor_seconds(self._process.pid) - worked > self._seconds / 4:
                raise _failed(self._path, f"reading it made no progress for {self._seconds:,.0f} s")
            raise MasterUnavailable(
                reason=f"the storage that it lies on did not answer for {self._seconds:,.0f} s",
                remedy="look after the disk or share; work goes on by itself",
                path=self._path,
            )
        return os.read(_pipe(self._process.stdout), size)


def _started() -> "subprocess.Popen[bytes]":
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)
    }
    kept["OPENBLAS_NUM_THREADS"] = "1"  # its sums are short: more threads would only spin, 5 s instead of 0.4
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_HERE), kept.get("PYTHONPATH"))))
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
        ready = protocol.receive(_Patience(process, Path(), _START_SECONDS).read, 0)
    except (OSError, protocol.ProtocolError, RestorationError) as error:
        _end(process)
        raise _unstartable(str(error)) from error
    except BaseException:  # an interrupt: nobody would hear the process
        _end(process)
        raise
    if ready is None or "ready" not in ready[0]:
        raise _unstartable(f"it ended with {_end(process)}")
    return process


def _end(process: "subprocess.Popen[bytes]") -> int:
    """End a process, if it has not ended; return its exit code."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    return process.wait()


def _unstartable(detail: str) -> Transient:
    return Transient(
        reason=f"the process that reads scans cannot be started ({detail})",
        remedy="look whether memory or processes are exhausted; work goes on by itself",
    )


def _send(process: "subprocess.Popen[bytes]", frame: bytes) -> None:
    protocol.write(_pipe(process.stdin), frame)


def _pipe(pipe: Any) -> int:
    return int(pipe.fileno())


def _processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used, s; 0 if it is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _death(process: "subprocess.Popen[bytes]", question: _Question) -> RestorationError:
    code, limits = process.wait(), question.limits
    if code == -signal.SIGKILL:
        return OutOfMemory(
            reason="the process that read it was killed, as happens when the machine's memory runs out",
            remedy="free some memory; work goes on by itself",
            path=question.path,
        )
    if code == -signal.SIGXCPU:
        return _failed(
            question.path,
            f"reading it takes more than {limits.reader_cpu_seconds:,} s of processor time",
            "raise SAEK_READER_CPU_SECONDS if it really is such a picture, then retry it",
        )
    how = f"crashed ({signal.Signals(-code).name})" if code < 0 else f"ended with {code}"
    return _failed(question.path, f"its reader {how}")


def _error_of(told: dict[str, Any], question: _Question) -> RestorationError | None:
    if "error" in told:
        return protocol.error_of(told["error"], question.path)
    if "exhausted" in told:
        return _failed(
            question.path,
            f"reading it takes more than {question.limits.reader_bytes / 1e9:,.1f} GB of memory",
            "raise SAEK_READER_BYTES if it really is such a picture, then retry it",
        )
    if "failed" not in told:
        return None
    _log.info("the reader of %s failed: %s", display_name(question.path), told["failed"])
    return _failed(question.path, "its decoder can make no sense of what is in it")


def _failed(path: Path, reason: str, remedy: str = "copy or scan it again") -> ReaderFailed:
    return ReaderFailed(reason=reason, remedy=remedy, path=path)


def _two_counts(words: object) -> tuple[int, int]:
    match words:
        case [int(done), int(total)]:
            return done, total
    raise protocol.ProtocolError("rows that are none")


def _facts_of(told: dict[str, Any]) -> ScanFacts:
    return protocol.facts_of(told.get("facts"))


def _overview_of(told: dict[str, Any], raw: bytes) -> MasterOverview:
    match told.get("shape"), told.get("samples"):
        case [int(bands), int(height), int(width)], str(samples):
            pass
        case _:
            raise protocol.ProtocolError("an overview of another shape")
    end = 4 * bands * height * width
    if min(bands, height, width) < 1 or bands not in {1, 3} or len(raw) < end:
        raise protocol.ProtocolError("an overview of another size")
    look = tone_protocol.look_of(told.get("tone_profile"), raw[end:])
    planes = np.frombuffer(raw[:end], "<f4").reshape(bands, height, width).astype(np.float32)
    if not (np.isfinite(planes).all() and planes.min() >= 0 and planes.max() <= 1):
        raise protocol.ProtocolError("an overview beyond black and white")
    try:
        notes, reference = protocol.notes_of(told.get("notes")), _reference_of(told.get("reference"))
        return MasterOverview(_facts_of(told), planes, bytes.fromhex(samples), reference, look, notes)
    except ValueError as error:
        raise protocol.ProtocolError("an overview without a digest") from error


def _reference_of(words: object) -> ReferenceDigests:
    match words:
        case {"decoders": 1 | 2 as decoders, "gray_sha256": str(gray), "alpha_sha256": str(alpha), **rest}:
            if not rest and _HEX.fullmatch(gray) and _HEX.fullmatch(alpha):
                return ReferenceDigests(decoders, gray, alpha)
    raise protocol.ProtocolError("an overview without a reference")
