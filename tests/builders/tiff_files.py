"""TIFF files made byte by byte, as faulty writers make them, and their samples as both decoders read them."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from restoration import identify
from restoration.masters import second_decoder
from restoration.masters.decoder_agreement import DecoderComparison
from restoration.masters.strips import Master

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, LONG8 = 1, 2, 3, 4, 5, 7, 16
_CODES = {BYTE: "B", ASCII: "s", SHORT: "H", LONG: "I", UNDEFINED: "s", LONG8: "Q"}

BYTE_ORDERS = [("<", False), (">", False), ("<", True), (">", True)]
"""Byte order, and whether it is a BigTIFF."""

Tag = tuple[int, object]
"""Field type, and its values: bytes, an integer or a list of them; of RATIONAL pairs."""


@dataclass(frozen=True, slots=True)
class Page:
    """One directory and its pixel data."""

    samples: NDArray[np.generic]
    """(H, W) or (H, W, channels)."""
    tags: Mapping[int, Tag | None] = field(default_factory=dict)
    """Tags besides or instead of the usual ones; None removes one."""
    strips: Sequence[bytes] | None = None
    """Compressed strips, instead of the samples."""
    unsorted: bool = False
    following: int | None = None
    """Offset of the next directory, instead of the right one; -1 for this directory."""
    counts: Mapping[int, int] = field(default_factory=dict)
    """Wrong counts of tags."""


def tiff_bytes(*pages: Page, order: str = "<", big: bool = False) -> bytes:
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


def compressed_strips(gray: NDArray[np.generic], compression: int, rows: int = 100) -> list[bytes]:
    """Return gray in strips of `rows`: 1 uncompressed, 5 LZW, 8 Deflate, 32773 PackBits."""
    pack = {1: bytes, 5: imagecodecs.lzw_encode, 8: zlib.compress}
    parts = [gray[top : top + rows] for top in range(0, len(gray), rows)]
    if compression == 32773:  # each row by itself
        return [b"".join(imagecodecs.packbits_encode(row.tobytes()) for row in part) for part in parts]
    return [bytes(pack[compression](np.ascontiguousarray(part).tobytes())) for part in parts]


def pixels_last(whole: bytes, data: bytes, order: str = "<") -> bytes:
    """Append `data` as the data of the only strip, so that nothing is behind the pixels."""
    at = whole.index(struct.pack(order + "HHI", 273, LONG, 1))
    return whole[: at + 8] + struct.pack(order + "I", len(whole)) + whole[at + 12 :] + data


def stored_samples(path: Path) -> NDArray[np.generic]:
    """Return the samples as stored, on which the second decoder agrees if it reads them at all."""
    facts = identify(path)
    master = Master(path, facts, path.parent)
    other = None if master.second_decoder_only() else second_decoder.read_rows(path, facts)
    comparison = DecoderComparison(path, facts, path.parent, other)
    found = []
    for top, samples in master.stored_strips():
        comparison.add(top, samples)
        found.append(samples)
    comparison.finish()
    return np.concatenate(found)


def by_second_decoder(path: Path) -> NDArray[np.generic]:
    """Return the samples as the second decoder reads them."""
    return np.concatenate([rows for _, rows in second_decoder.read_rows(path, identify(path))])
