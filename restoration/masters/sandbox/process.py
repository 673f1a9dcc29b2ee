"""The process that reads: one file after the other, within limits that the kernel keeps.

It is started by `reader`, asked on its standard input and answers on what was its standard output. It holds
no secret and writes nothing but scratch files without a name. When nobody listens any more it ends.
"""

import hashlib
import logging
import math
import os
import queue
import resource
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from restoration.errors import OutOfMemory, RestorationError
from restoration.masters import second_decoder, tone_profile
from restoration.masters.decoder_agreement import DecoderComparison
from restoration.masters.facts import Limits
from restoration.masters.identify import identify
from restoration.masters.metadata import embedded, own_derivative, xmp_reader
from restoration.masters.plausibility import NeighborCorrelation
from restoration.masters.sandbox import protocol, tone_protocol
from restoration.masters.strips import Master


def main() -> None:
    """Serve until standard input ends."""
    replies = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not look like a reply
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What it finds odd in a header is told by the error, if it is one at all.
    for library in ("PIL", "pyvips", "tifffile"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    protocol.write(replies, protocol.frame({"ready": True}))
    asked: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(asked,), daemon=True).start()
    while True:
        _serve(asked.get(), replies)


def _listen(asked: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Pass requests on; at the end of standard input the process ends, whatever it is doing."""
    try:
        while (request := protocol.receive(lambda size: os.read(0, size), 0)) is not None:
            asked.put(request[0])
    finally:
        os._exit(0)


def _serve(request: Mapping[str, Any], replies: int) -> None:
    limits = Limits(**request["limits"])
    path = protocol.path_of(request["path"])
    _confine(limits)
    try:
        if request["do"] == "identify":
            protocol.write(replies, protocol.frame({"facts": protocol.facts_words(identify(path, limits))}))
        else:
            _overview(path, request, limits, replies)
    except (OutOfMemory, MemoryError):
        protocol.write(replies, protocol.frame({"exhausted": True}))
    except RestorationError as error:
        protocol.write(replies, protocol.frame({"error": protocol.error_words(error)}))
    except Exception as error:  # noqa: BLE001  (libraries leak whatever they like on malformed files)
        protocol.write(replies, protocol.frame({"failed": f"{type(error).__name__}: {error}"[:500]}))


def _confine(limits: Limits) -> None:
    """Limit memory to so many bytes and the processor to so many seconds from now."""
    resource.setrlimit(resource.RLIMIT_DATA, (limits.reader_bytes, resource.RLIM_INFINITY))
    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(spent.ru_utime + spent.ru_stime) + limits.reader_cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _overview(path: Path, request: Mapping[str, Any], limits: Limits, replies: int) -> None:
    facts = identify(path, limits)
    # Read here for the first time: what it does to a reader it does to this one.
    about = embedded.read_metadata(path, facts)
    if about.xmp:
        xmp_reader.read_xmp(about.xmp, about.extension)
        own_derivative.require_master(about.xmp, path)
    scratch = protocol.path_of(request["scratch"])
    scan = Master(path, facts, scratch)
    samples, correlation = hashlib.sha256(), NeighborCorrelation(facts)
    most = min(second_decoder.MAX_BYTES, limits.reader_bytes // 4)
    other = None if scan.second_decoder_only() else second_decoder.read_rows(path, facts, max_bytes=most)
    comparison = DecoderComparison(path, facts, scratch, other)
    notes = list(facts.notes)

    def told(done: int, total: int) -> None:
        protocol.write(replies, protocol.frame({"rows": [done, total]}))

    look = tone_profile.read_tone_profile(path, facts)
    planes = scan.overview(
        request["long_side"],
        told,
        samples,
        correlation=correlation,
        curve=look.curve,
        comparison=comparison,
        notes=notes,
    )
    correlation.require(path)
    raw = np.ascontiguousarray(planes, "<f4")
    words = {
        "facts": protocol.facts_words(facts),
        "shape": raw.shape,
        "samples": samples.hexdigest(),
        "tone_profile": tone_protocol.words(look),
        "reference": asdict(comparison.finish()),
        "notes": notes,
    }
    light = tone_protocol.raw(look)
    protocol.write(replies, protocol.frame(words, raw.nbytes + len(light)))
    protocol.write(replies, raw.data)
    protocol.write(replies, light)


if __name__ == "__main__":
    main()
