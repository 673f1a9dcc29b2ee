"""The reader process: reads one file after the other, within limits that the kernel enforces.

`client` starts it, sends requests to its standard input and receives answers from its original standard
output. It holds no secrets, writes only unnamed scratch files, and ends when its client is gone.
"""

import hashlib
import logging
import math
import os
import queue
import resource
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from restoration.errors import OutOfMemory, RestorationError
from restoration.masters import second_decoder
from restoration.masters.decoder_agreement import DecoderComparison
from restoration.masters.facts import Limits
from restoration.masters.identify import identify
from restoration.masters.metadata import embedded, own_derivative, xmp_reader
from restoration.masters.plausibility import NeighborCorrelation
from restoration.masters.sandbox import protocol
from restoration.masters.sandbox.overview import MasterOverview, encode_overview
from restoration.masters.strips import Master
from restoration.masters.tone_profile import read_tone_profile


def main() -> None:
    """Serve requests until standard input ends."""
    replies = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not look like a reply
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What these libraries log about a header is in the error, if there is one.
    for library in ("PIL", "pyvips", "tifffile"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    protocol.write_all(replies, protocol.frame({"ready": True}))
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        _serve(requests.get(), replies)


def _listen(requests: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Queue requests; when standard input ends, end the process, whatever it is doing."""
    try:
        while (request := protocol.receive(lambda size: os.read(0, size), 0)) is not None:
            requests.put(request[0])
    finally:
        os._exit(0)


def _serve(request: Mapping[str, Any], replies: int) -> None:
    limits = Limits(**request["limits"])
    path = protocol.decode_path(request["path"])
    _limit_resources(limits)
    message: dict[str, Any]
    raw: list[bytes | memoryview] = []
    try:
        if request["do"] == "identify":
            message = {"facts": protocol.encode_facts(identify(path, limits))}
        else:
            message, raw = encode_overview(_overview(path, request, limits, replies))
    except (OutOfMemory, MemoryError):
        message = {"exhausted": True}
    except RestorationError as error:
        message = {"error": protocol.encode_error(error)}
    except Exception as error:  # noqa: BLE001  (libraries raise anything on malformed files)
        message = {"failed": f"{type(error).__name__}: {error}"[:500]}
    protocol.write_all(replies, protocol.frame(message, sum(map(len, raw))))
    for part in raw:
        protocol.write_all(replies, part)


def _limit_resources(limits: Limits) -> None:
    """Limit the memory of the process, and its processor time from now on."""
    resource.setrlimit(resource.RLIMIT_DATA, (limits.reader_bytes, resource.RLIM_INFINITY))
    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(spent.ru_utime + spent.ru_stime) + limits.reader_cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _overview(path: Path, request: Mapping[str, Any], limits: Limits, replies: int) -> MasterOverview:
    facts = identify(path, limits)
    # The metadata are read here first, so that a parser that crashes on them crashes this process.
    metadata = embedded.read_metadata(path, facts)
    if metadata.xmp:
        xmp_reader.read_xmp(metadata.xmp, metadata.extension)
        own_derivative.require_master(metadata.xmp, path)
    scratch = protocol.decode_path(request["scratch"])
    master = Master(path, facts, scratch)
    samples, correlation = hashlib.sha256(), NeighborCorrelation(facts)
    max_bytes = min(second_decoder.MAX_BYTES, limits.reader_bytes // 4)
    other = (
        None if master.second_decoder_only() else second_decoder.read_rows(path, facts, max_bytes=max_bytes)
    )
    comparison = DecoderComparison(path, facts, scratch, other)
    notes = list(facts.notes)

    def report_rows(done: int, total: int) -> None:
        protocol.write_all(replies, protocol.frame({"rows": [done, total]}))

    profile = read_tone_profile(path, facts)
    planes = master.overview(
        request["long_side"],
        report_rows,
        samples,
        correlation=correlation,
        curve=profile.curve,
        comparison=comparison,
        notes=notes,
    )
    correlation.require(path)
    return MasterOverview(facts, planes, samples.digest(), comparison.finish(), profile, tuple(notes))


if __name__ == "__main__":
    main()
