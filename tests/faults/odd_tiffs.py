"""TIFFs made byte by byte, as writers with faults make them: every tag as it is told, in any order."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
_CODES = {BYTE: "B", ASCII: "s", SHORT: "H", LONG: "I", UNDEFINED: "s", LONG8: "Q"}

Tag = tuple[int, object]
"""Field type, and its values: bytes, an integer or a list of them; of RATIONAL pairs."""


@dataclass(frozen=True, slots=True)
class Page:
    """One directory and its pixel data."""

    samples: NDArray[np.generic]
    """(H, W) or (H, W, channels)."""
    tags: Mapping[int, Tag | None] = field(default_factory=dict)
    """Tags besides or instead of the usual ones; None leaves one out."""
    strips: Sequence[bytes] | None = None
    """Compressed strips, instead of the samples."""
    unsorted: bool = False
    following: int | None = None
    """Offset of the next directory, instead of the right one; -1 for this very one."""
    counts: Mapping[int, int] = field(default_factory=dict)
    """Counts of tags that are not those of their values."""


def made(*pages: Page, order: str = "<", big: bool = False) -> bytes:
    """Return a file of these pages."""
    out = bytearray(b"II" if order == "<" else b"MM")
    out += struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0)
    place = 8 if big else 4
    for page in pages:
        offsets = []
        strips = page.strips or [page.samples.astype(page.samples.dtype.newbyteorder(order)).tobytes()]
        for strip in strips:
            out += bytes(len(out) % 2)
            offsets.append(len(out))
            out += strip
        tags = _usual(page.samples, offsets, [len(strip) for strip in strips]) | page.tags
        values = {tag: _packed(order, *one) for tag, one in tags.items() if one is not None}
        room = 8 if big else 4
        where = {}
        for tag, (_, raw, _) in values.items():
            if len(raw) > room:
                out += bytes(len(out) % 2)
                where[tag] = len(out)
                out += raw
        out += bytes(len(out) % 2)
        start = len(out)
        out[place : place + room] = struct.pack(order + ("Q" if big else "I"), start)
        out += struct.pack(order + ("Q" if big else "H"), len(values))
        for tag in sorted(values, key=lambda tag: -tag if page.unsorted else tag):
            kind, raw, count = values[tag]
            out += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, page.counts.get(tag, count))
            if tag in where:
                out += struct.pack(order + ("Q" if big else "I"), where[tag])
            else:
                out += raw.ljust(room, b"\0")
        place = len(out)
        following = {None: 0, -1: start}.get(page.following, page.following)
        out += struct.pack(order + ("Q" if big else "I"), following)
    return bytes(out)


def _usual(samples: NDArray[np.generic], offsets: list[int], counts: list[int]) -> dict[int, Tag]:
    height, width = samples.shape[:2]
    channels = samples.shape[2] if samples.ndim == 3 else 1
    return {
        256: (LONG, width),
        257: (LONG, height),
        258: (SHORT, [samples.itemsize * 8] * channels),
        259: (SHORT, 1),
        262: (SHORT, 2 if channels >= 3 else 1),
        273: (LONG, offsets),
        277: (SHORT, channels),
        278: (LONG, -(-height // len(offsets))),
        279: (LONG, counts),
    }


def _packed(order: str, kind: int, values: object) -> tuple[int, bytes, int]:
    """Return the type, the bytes and the count of a tag."""
    if isinstance(values, bytes):
        return kind, values, len(values)
    numbers = values if isinstance(values, list) else [values]
    if kind == RATIONAL:
        return kind, b"".join(struct.pack(order + "II", *pair) for pair in numbers), len(numbers)
    return kind, struct.pack(order + f"{len(numbers)}{_CODES[kind]}", *numbers), len(numbers)
