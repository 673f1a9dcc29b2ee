"""ICC profiles built byte by byte by their specification (ICC.1:2001-04), and the curve of one read back."""

import struct
from typing import Any

import numpy as np

Gray = np.ndarray

D50 = (0.9642, 1.0, 0.8249)
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
"""Colorants of Adobe RGB (1998), adapted to D50, as its specification prints them."""
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71187, 0.0), (0.03134, 0.00009, 0.82491))


def s15f16(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def power(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def sampled(values: Gray) -> bytes:
    integers = np.rint(values * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(values)) + integers.tobytes()


def parametric(kind: int, *numbers: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", kind, 0) + s15f16(*numbers)


def described(text: str) -> bytes:
    plain = text.encode() + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(plain)) + plain + bytes(78)


def translated(text: str) -> bytes:
    wide = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"ko", b"KR", len(wide), 28) + wide


def xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + s15f16(*values)


def icc(
    tags: dict[str, bytes],
    *,
    space: str = "GRAY",
    connection: str = "XYZ",
    name: bytes | None = None,
    version: int = 2,
    white: tuple[float, ...] = D50,
) -> bytes:
    """Build an ICC profile by hand (ICC.1:2001-04)."""
    named = {"desc": name or described("a curve"), "cprt": b"text\0\0\0\0none\0", "wtpt": xyz(white)}
    entries, body = b"", b""
    tags = named | tags
    for tag, data in tags.items():
        entries += struct.pack(">4sII", tag.encode(), 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    spaces = (
        (b"prtr" if space == "GRAY" else b"mntr") + space.ljust(4).encode() + connection.ljust(4).encode()
    )
    head = struct.pack(">IIBBH", 132 + len(entries) + len(body), 0, version, 0x40, 0) + spaces
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + s15f16(*D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def gray_icc(curve: bytes, **facts: Any) -> bytes:
    return icc({"kTRC": curve}, **facts)


def rgb_icc(curve: bytes, colorants: tuple[tuple[float, ...], ...], **facts: Any) -> bytes:
    tags = {f"{c}XYZ": xyz(colorant) for c, colorant in zip("rgb", colorants, strict=True)}
    return icc(tags | {f"{c}TRC": curve for c in "rgb"}, space="RGB", **facts)


def curve_in(profile: bytes) -> Gray:
    """Luminance at each 16-bit sample by the curve of a profile of version 2, which all channels share."""
    (count,) = struct.unpack_from(">I", profile, 128)
    table = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count)]
    places = {tag: (offset, size) for tag, offset, size in table}
    assert places[b"rTRC"] == places[b"gTRC"] == places[b"bTRC"]
    offset, _ = places[b"rTRC"]
    assert profile[offset : offset + 4] == b"curv"
    (entries,) = struct.unpack_from(">I", profile, offset + 8)
    values = np.frombuffer(profile, ">u2", entries, offset + 12)
    x = np.linspace(0, 1, 65536)
    return (
        x ** (values[0] / 256) if entries == 1 else np.interp(x, np.linspace(0, 1, entries), values / 65535)
    )
