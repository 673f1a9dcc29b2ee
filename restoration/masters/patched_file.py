"""A file as a decoder is shown it: some of its bytes as they are, others replaced, nothing copied to disk.

Decoders stop at odd headers that have nothing to do with the pixels. So a header of our own is put before
the pixel data, and libvips reads both as if they were one file.
"""

import bisect
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from typing import Final, TypeAlias, TypeVar

import pyvips

_T = TypeVar("_T")
_PATIENCE: Final = 5.0
"""Seconds that a piece of a picture may take that nobody waits for any more."""

Part: TypeAlias = bytes | tuple[int, int]
"""Bytes of our own, or offset and length of bytes of the file."""


class PatchedFile:
    """Pieces one after the other, read like a file. Reading keeps the descriptor open, not the file."""

    def __init__(self, file: BufferedReader, pieces: Sequence[Part]) -> None:
        self._descriptor = os.dup(file.fileno())
        self._starts: list[int] = []
        self._pieces = [piece for piece in pieces if (len(piece) if isinstance(piece, bytes) else piece[1])]
        at = 0
        for piece in self._pieces:
            self._starts.append(at)
            at += len(piece) if isinstance(piece, bytes) else piece[1]
        self.size = at
        self._at = 0
        self._piece = 0
        self.error: OSError | None = None
        """What the system said when reading failed: libvips is told only that the file ends."""

    def __del__(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes, none at the end or after an error."""
        if self._at >= self.size or self.error:
            return b""
        start, piece = self._here()
        inside = self._at - start
        if isinstance(piece, bytes):
            part = piece[inside : inside + size]
        else:
            offset, length = piece
            try:
                part = os.pread(self._descriptor, min(size, length - inside), offset + inside)
            except OSError as error:
                self.error = error
                return b""
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset from the beginning, from here or from the end; return the place, -1 if none."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            return -1
        self._at = base + offset
        return self._at

    def _here(self) -> tuple[int, Part]:
        """Return where the piece begins that the next byte lies in, and the piece."""
        last = len(self._pieces) - 1
        if not self._starts[self._piece] <= self._at or (
            self._piece < last and self._at >= self._starts[self._piece + 1]
        ):
            self._piece = bisect.bisect_right(self._starts, self._at) - 1
        return self._starts[self._piece], self._pieces[self._piece]


def iterate_in_thread(make: Callable[[], Iterator[_T]]) -> Iterator[_T]:
    """Yield what an iterator yields that is made and moved on in a thread of its own; None is not among it.

    libvips calls back to read a splice. An interrupt that reached Python in such a call would be lost, and
    the file taken for cut off; but interrupts reach the main thread only. The queues are those in C: an
    interrupt between two lines of a lock made in Python would leave it locked.
    """
    asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[_T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            items = make()
            while asked.get():
                answers.put((next(items, None), None))
        except BaseException as error:  # noqa: BLE001  (raised where it is waited for)
            answers.put((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            asked.put(True)
            item, error = answers.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        asked.put(False)
        thread.join(_PATIENCE)


def vips_source(splice: PatchedFile) -> pyvips.SourceCustom:
    """Return a libvips source; it must be kept as long as whatever reads from it."""
    source = pyvips.SourceCustom()
    source.on_read(splice.read)
    source.on_seek(splice.seek)
    return source
