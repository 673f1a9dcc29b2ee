"""RGB profile with the primaries of sRGB and the tone curve of the master.

A matrix profile of version 2 (ICC.1:2001-04), which every color engine reads: three colorants, and one curve
that all channels share.
"""

import struct
from typing import Final

import numpy as np

from restoration.arrays.tone_curve import STEPS, Floats, ToneCurve, lightness

_D50: Final = (63190, 65536, 54061)
_COLORANTS: Final = {
    b"rXYZ": (28576, 14578, 911),
    b"gXYZ": (25238, 46985, 6362),
    b"bXYZ": (9376, 3973, 46788),
}
"""The primaries of sRGB (IEC 61966-2-1), adapted from D65 to D50 by Bradford's method, in 1/65536. Their sum
is D50 exactly, so that neutral stays neutral."""
_ADAPTATION: Final = (68671, 1501, -3290, 1936, 64914, -1119, -606, 988, 49265)
"""The matrix from D65 to D50 by Bradford's method, in 1/65536."""

_AS_GOOD: Final = 0.02
_GOOD: Final = 0.1
"""Largest error of L*: of a power law in place of the curve, and between samples of the curve."""
_SAMPLED_EVERY: Final = (15, 5, 3)
"""Distances between samples of a curve for 16 bits: all divide 65535, so samples are at integers."""
_MADE: Final = (2026, 1, 1, 0, 0, 0)
"""The same master gives the same profile at any time."""


def rgb_profile(curve: ToneCurve, bits: int) -> bytes:
    """Return the ICC profile for the RGB samples of a depth, 8 or 16 bits, under a tone curve."""
    tone = _tone(curve, bits)
    title = "Saek RGB, tone curve of its master" + (f" ({curve.name})" if curve.name else "")
    tags = [
        (b"desc", _description(title)),
        (b"cprt", b"text\0\0\0\0No copyright, use freely\0"),
        (b"wtpt", _xyz(_D50)),
        (b"chad", b"sf32\0\0\0\0" + struct.pack(">9i", *_ADAPTATION)),
        *((tag, _xyz(colorant)) for tag, colorant in _COLORANTS.items()),
        *((tag, tone) for tag in (b"rTRC", b"gTRC", b"bTRC")),
    ]
    return _assembled(tags)


def _tone(curve: ToneCurve, bits: int) -> bytes:
    """Return a curve as a power law if it is one, or else sampled: at every integer of 8 bits."""
    places = np.linspace(0, 1, STEPS)
    middle = float(np.clip(curve.light[STEPS // 2], 1e-6, 1 - 1e-6))
    gamma = round(256 * np.log(middle) / np.log(places[STEPS // 2]))
    if 0 < gamma < STEPS and _off(places ** (gamma / 256), curve) <= _AS_GOOD:
        return _sampled([gamma])
    if bits == 8:
        return _sampled(_integers(curve.light[::257]))
    for step in _SAMPLED_EVERY:
        samples = _integers(curve.light[::step])
        if _off(np.interp(places, places[::step], np.array(samples) / 65535), curve) <= _GOOD:
            break
    return _sampled(samples)


def _off(light: Floats, curve: ToneCurve) -> float:
    return float(np.max(np.abs(lightness(light) - lightness(curve.light.astype(np.float64)))))


def _integers(light: Floats) -> list[int]:
    return [int(value) for value in np.rint(light.astype(np.float64) * 65535)]


def _sampled(values: list[int]) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(f">I{len(values)}H", len(values), *values)


def _xyz(values: tuple[int, int, int]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *values)


def _description(text: str) -> bytes:
    plain = text.encode("ascii", "replace") + b"\0"
    wide = text.encode("utf-16-be") + b"\0\0"
    return b"".join(
        (
            b"desc\0\0\0\0",
            struct.pack(">I", len(plain)) + plain,
            struct.pack(">II", 0, len(wide) // 2) + wide,
            bytes(2 + 1 + 67),  # the same for Macintosh: none
        )
    )


def _assembled(tags: list[tuple[bytes, bytes]]) -> bytes:
    """Return tags one after the other; equal ones share a place."""
    start = 128 + 4 + 12 * len(tags)
    body, table, places = bytearray(), bytearray(), dict[bytes, int]()
    for tag, data in tags:
        if data not in places:
            places[data] = start + len(body)
            body += data + bytes(-len(data) % 4)
        table += struct.pack(">4sII", tag, places[data], len(data))
    header = struct.pack(
        ">I4xI4s4s4s6H4s28x3i48x",
        start + len(body),
        0x02400000,
        b"mntr",
        b"RGB ",
        b"XYZ ",
        *_MADE,
        b"acsp",
        *_D50,
    )
    return header + struct.pack(">I", len(tags)) + bytes(table + body)
