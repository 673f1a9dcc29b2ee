"""A file read with some of its bytes replaced, without a copy on disk.

Decoders reject odd headers that do not concern the pixels. Such bytes are replaced in memory, and libvips
reads the replacements and the rest of the file as one stream.
"""

import bisect
import os
from collections.abc import Sequence
from io import BufferedReader
from typing import TypeAlias

import pyvips

Part: TypeAlias = bytes | tuple[int, int]
"""Replacement bytes, or offset and length of bytes of the file."""


class PatchedFile:
    """Parts in sequence, read like a file. It duplicates the descriptor: the file may be closed before it."""

    def __init__(self, file: BufferedReader, parts: Sequence[Part]) -> None:
        self._descriptor = os.dup(file.fileno())
        self._starts: list[int] = []
        self._parts = [part for part in parts if (len(part) if isinstance(part, bytes) else part[1])]
        at = 0
        for part in self._parts:
            self._starts.append(at)
            at += len(part) if isinstance(part, bytes) else part[1]
        self.size = at
        self._at = 0
        self._current = 0
        self.error: OSError | None = None
        """The error that ended reading: libvips itself only sees an end of file."""

    def __del__(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes, none at the end or after an error."""
        if self._at >= self.size or self.error:
            return b""
        start, part = self._part_here()
        inside = self._at - start
        if isinstance(part, bytes):
            data = part[inside : inside + size]
        else:
            offset, length = part
            try:
                data = os.pread(self._descriptor, min(size, length - inside), offset + inside)
            except OSError as error:
                self.error = error
                return b""
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset as `io.IOBase.seek` does; return the new position, or -1 if it is negative."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if base + offset < 0:
            return -1
        self._at = base + offset
        return self._at

    def _part_here(self) -> tuple[int, Part]:
        """Return the start of the part that holds the next byte, and the part."""
        last = len(self._parts) - 1
        if not self._starts[self._current] <= self._at or (
            self._current < last and self._at >= self._starts[self._current + 1]
        ):
            self._current = bisect.bisect_right(self._starts, self._at) - 1
        return self._starts[self._current], self._parts[self._current]


def vips_source(file: PatchedFile) -> pyvips.SourceCustom:
    """Return a libvips source; keep a reference to it for as long as an image reads from it."""
    source = pyvips.SourceCustom()
    source.on_read(file.read)
    source.on_seek(file.seek)
    return source
