"""Images opened with libvips, the first decoder.

libvips decodes on demand and warns of anything odd. Warnings are errors here: damaged pixels are refused,
never filled with gray. What is odd about a JPEG header and does not concern the pixels is removed before
libvips sees it (`jpeg.repair`).
"""

import logging
import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final, TypeVar

import pyvips

from restoration.masters.facts import ScanFacts
from restoration.masters.jpeg import repair
from restoration.masters.patched_file import Part, PatchedFile, vips_source
from restoration.masters.safe_open import open_master, open_source

pyvips.block_untrusted_set(True)
# Warnings are errors anyway. A log handler would run Python, and its garbage collector, inside libvips.
logging.getLogger("pyvips").setLevel(logging.CRITICAL)
pyvips.cache_set_max(0)  # a cached operation would keep a finished master open

_T = TypeVar("_T")

_LOADERS: Final = {
    "png": "pngload_source",
    "jpeg": "jpegload_source",
    "webp": "webpload_source",
    "gif": "gifload_source",
}
_JOIN_SECONDS: Final = 5.0
"""Seconds to wait for a thread whose result is no longer needed."""
_FUNCTION_NAMES: Final = re.compile(r"^(?:\w+:(?:\s+|$))+")
"""Prefix of a message of libvips or libtiff: the function that complains."""
_UNINFORMATIVE: Final = re.compile(r"unable to\b|images do not match between|libs?png (?:read )?error$")
"""Messages that say nothing about the file."""


def load(path: Path, facts: ScanFacts) -> pyvips.Image:
    """Return the undecoded image of an identified master, to be read once, from top to bottom.

    Damage raises pyvips.Error when the pixels are read.
    """
    return load_with_notes(facts.format, path)[0]


def load_with_notes(file_format: str, path: Path) -> tuple[pyvips.Image, tuple[str, ...]]:
    """Return the image as `load`, and notes about what was repaired in its header.

    Raises pyvips.Error if the header cannot be read.
    """
    pyvips.vips_lib.vips_error_clear()
    try:
        image = pyvips.Operation.call(
            _LOADERS[file_format], open_source(path), access="sequential", fail_on="warning"
        )
    except pyvips.Error:
        if file_format != "jpeg":
            raise
        with open_master(path) as file:
            repaired = repair.repair_header(file)
            if repaired is None:
                raise
            return load_parts(file, repaired.parts), repaired.notes
    return image, ()


def load_parts(file: BufferedReader, parts: Sequence[Part], fail_on: str = "warning") -> pyvips.Image:
    """Return the undecoded image in the patched file that `parts` of an open file make up; see `load`."""
    source = vips_source(PatchedFile(file, parts))
    pyvips.vips_lib.vips_error_clear()  # drop the messages about the file before this one
    return pyvips.Image.new_from_source(source, "", access="sequential", fail_on=fail_on)


def iterate_in_thread(make: Callable[[], Iterator[_T]]) -> Iterator[_T]:
    """Yield the items (never None) of the iterator that `make` returns; both run in a thread of their own.

    libvips calls Python back to read a patched file. Interrupts reach the main thread only; one that arrived
    in such a callback would be lost, and the file taken for cut off. SimpleQueue is implemented in C: an
    interrupt cannot leave its lock held, as it could with a lock in Python code.
    """
    requests: queue.SimpleQueue[bool] = queue.SimpleQueue()
    replies: queue.SimpleQueue[tuple[_T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            items = make()
            while requests.get():
                replies.put((next(items, None), None))
        except BaseException as error:  # noqa: BLE001  (raised by the caller's thread)
            replies.put((None, error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            requests.put(True)
            item, error = replies.get()
            if error is not None:
                raise error
            if item is None:
                return
            yield item
    finally:
        requests.put(False)
        thread.join(_JOIN_SECONDS)


def first_line(error: Exception) -> str:
    """Return the first informative line of a library's message, without the names of its functions."""
    lines = (_FUNCTION_NAMES.sub("", line.strip()) for line in str(error).splitlines())
    informative = (line for line in lines if line and not _UNINFORMATIVE.match(line))
    return next(informative, "the decoder gives no details")
