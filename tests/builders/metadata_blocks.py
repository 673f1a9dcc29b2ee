"""Metadata blocks built byte by byte from their specifications: IIM 4.2, Photoshop resources, EXIF 2.32."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

Entries = list[tuple[int, int, bytes]]
"""Code, TIFF type and value of each tag."""


def iim(*records: tuple[int, int, bytes]) -> bytes:
    return b"".join(struct.pack(">BBBH", 0x1C, r, d, len(value)) + value for r, d, value in records)


def resource(number: int, content: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + b"\0" * (len(content) % 2)


def exif(order: str, picture: Entries, photograph: Entries = []) -> bytes:  # noqa: B006 - never changed
    """Return an EXIF block: the tags of the picture, and those of the EXIF directory."""
    pointer = [(34665, 4, b"\0\0\0\0")] if photograph else []
    inner = 8 + len(_directory(order, 8, picture + pointer))
    pointer = [(34665, 4, struct.pack(f"{order}I", inner))] if photograph else []
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8)
    outer = _directory(order, 8, picture + pointer)
    return head + outer + (_directory(order, inner, photograph) if photograph else b"")


def _directory(order: str, start: int, entries: Entries) -> bytes:
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 129: 1}
    made, values, behind = b"", b"", start + 6 + 12 * len(entries)
    for code, kind, value in sorted(entries):
        made += struct.pack(f"{order}HHI", code, kind, len(value) // sizes[kind])
        if len(value) > 4:
            made += struct.pack(f"{order}I", behind + len(values))
            values += value + b"\0" * (len(value) % 2)
        else:
            made += value.ljust(4, b"\0")
    return struct.pack(f"{order}H", len(entries)) + made + bytes(4) + values


def jpeg(path: Path, gray: np.ndarray, *segments: tuple[int, bytes]) -> Path:
    """Write a JPEG with further segments behind its first one."""
    Image.fromarray(gray).save(path, quality=95)
    content = path.read_bytes()
    extra = b"".join(struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data for kind, data in segments)
    path.write_bytes(content[:20] + extra + content[20:])
    return path


def png(path: Path, gray: np.ndarray, *chunks: tuple[bytes, bytes]) -> Path:
    """Write a PNG with further chunks behind its header."""
    Image.fromarray(gray).save(path, "PNG")
    content = path.read_bytes()
    extra = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    path.write_bytes(content[:33] + extra + content[33:])
    return path


def segments_of(path: Path) -> list[tuple[int, bytes]]:
    """Return marker and content of each segment of a JPEG before its scan."""
    content, at, found = path.read_bytes(), 2, []
    while content[at + 1] != 0xDA:
        size = int.from_bytes(content[at + 2 : at + 4])
        found.append((content[at + 1], content[at + 4 : at + 2 + size]))
        at += 2 + size
    return found


def chunks_of(path: Path) -> list[tuple[bytes, bytes]]:
    """Return kind and content of each chunk of a PNG."""
    content, at, found = path.read_bytes(), 8, []
    while at < len(content):
        size = int.from_bytes(content[at : at + 4])
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += size + 12
    return found


def tags_of(block: bytes) -> dict[int, bytes]:
    """Return the values of the ASCII tags of EXIF in its TIFF form, both directories, by hand."""
    order = {b"II": "<", b"MM": ">"}[block[:2]]
    found: dict[int, bytes] = {}
    waiting = [int(struct.unpack_from(f"{order}I", block, 4)[0])]
    while waiting:
        at = waiting.pop()
        for number in range(struct.unpack_from(f"{order}H", block, at)[0]):
            code, kind, count, value = struct.unpack_from(f"{order}HHII", block, at + 2 + 12 * number)
            if code == 34665:
                waiting.append(value)
            elif kind == 2:
                place = value if count > 4 else at + 2 + 12 * number + 8
                found[code] = block[place : place + count]
    return found
