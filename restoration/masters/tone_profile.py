"""With which tone curve a master is shown: its ICC profile, the gamma of a PNG, or else sRGB."""

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyvips

from restoration.arrays.tone_curve import STEPS, ToneCurve, lightness, linear
from restoration.masters import icc
from restoration.masters.facts import ScanFacts
from restoration.masters.identify import load
from restoration.masters.png import chunks
from restoration.masters.safe_open import open_master
from restoration.masters.tiff import header

_LIKE_SRGB: Final = 0.1
"""L* up to which a curve is that of sRGB: profiles of sRGB differ by their rounding."""
_ICC_TAG: Final = 34675
_MOST_ENTRIES: Final = 4_096
_GAMMAS: Final = (0.1, 10.0)
"""Exponents that the gamma of a PNG may lead to."""


@dataclass(frozen=True, slots=True)
class ToneProfile:
    """How a master is shown."""

    curve: ToneCurve | None = None
    """None is that of sRGB."""
    origin: str | None = None
    """What in the file tells it, with its name; None if nothing does."""
    noted: tuple[str, ...] = ()
    """What is odd about that, in sentences."""


_UNREAD: Final = ToneProfile(
    None,
    "ICC profile",
    ("The ICC profile cannot be read (damaged, or not for such a picture); it is not used",),
)


def read_tone_profile(path: Path, facts: ScanFacts) -> ToneProfile:
    """Return how an identified master is shown; a profile that cannot be used is told, and sRGB is meant.

    An ICC profile holds before all else, then in a PNG the chunk sRGB, then gAMA. Raises MasterError if the
    file cannot be read, pyvips.Error if it is damaged.
    """
    if facts.icc_sha256:
        profile = _tiff_profile(path, facts) if facts.format == "tiff" else _vips_profile(path, facts)
        return _of_profile(profile, facts)
    if facts.format == "tiff":
        return _UNREAD if _holds_icc_tag(path) else ToneProfile()
    gamma, unread = _png_chunks(path) if facts.format == "png" else (None, False)
    look = ToneProfile() if gamma is None else _of_gamma(gamma)
    return replace(look, noted=(*_UNREAD.noted, *look.noted)) if unread else look


def _of_profile(profile: bytes, facts: ScanFacts) -> ToneProfile:
    name = icc.profile_name(profile)
    origin = f"ICC profile '{name}'" if name else "ICC profile"
    try:
        light = icc.neutral_luminance(profile)
        space = icc.profile_color_space(profile)
    except icc.UnusableProfile as unusable:
        return ToneProfile(
            None, origin, (f"The {origin} cannot be used ({unusable}); the picture is shown as sRGB",)
        )
    picture = "gray" if facts.mode.startswith("gray") else "RGB"
    noted: tuple[str, ...] = ()
    if space != picture:
        noted = (f"The {origin} is for {space}, the picture is {picture}: only its tone curve counts",)
    return ToneProfile(_curve(name, light), origin, noted)


def _of_gamma(gamma: float) -> ToneProfile:
    origin = f"PNG gamma {gamma:g}"
    exponent = 1 / gamma if gamma else 0.0
    if not _GAMMAS[0] <= exponent <= _GAMMAS[1]:
        return ToneProfile(None, origin, (f"The {origin} is no sensible one; the picture is shown as sRGB",))
    return ToneProfile(_curve(origin, np.linspace(0, 1, STEPS) ** exponent), origin)


def _curve(name: str, light: icc.Luminance) -> ToneCurve | None:
    usual = linear(np.linspace(0, 1, STEPS))
    if np.max(np.abs(lightness(light) - lightness(usual))) <= _LIKE_SRGB:
        return None
    return ToneCurve(name, light.astype(np.float32))


def _tiff_profile(path: Path, facts: ScanFacts) -> bytes:
    """Return the profile that the facts tell of, from the page that is the picture."""
    with open_master(path) as file:
        return header.icc_profile(file, path, facts.file_bytes) or b""


def _vips_profile(path: Path, facts: ScanFacts) -> bytes:
    image = load(path, facts)
    kind = image.get_typeof("icc-profile-data")
    return bytes(image.get("icc-profile-data")) if kind == pyvips.GValue.blob_type else b""


def _holds_icc_tag(path: Path) -> bool:
    """Whether the first directory of a TIFF names a profile: of one cut off tifffile tells nothing."""
    with open_master(path) as file:
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        big = head[2:4] in {b"+\0", b"\0+"}
        (first,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
        file.seek(first)
        size = 8 if big else 2
        (count,) = struct.unpack(order + ("Q" if big else "H"), file.read(size).ljust(size, b"\0"))
        step = 20 if big else 12
        entries = file.read(step * min(count, _MOST_ENTRIES))
    codes = (struct.unpack_from(order + "H", entries, at)[0] for at in range(0, len(entries) - 1, step))
    return _ICC_TAG in codes


def _png_chunks(path: Path) -> tuple[float | None, bool]:
    """Return gAMA, the exponent that light was encoded with, and whether there is an ICC profile.

    None if there is no gAMA, or sRGB holds before it.
    """
    found: dict[bytes, float] = {}
    with open_master(path) as file:
        for chunk in chunks.read_chunks(file):
            if chunk.kind == b"IDAT":
                break
            value = file.read(4) if chunk.kind == b"gAMA" and chunk.length == 4 else b""
            if chunk.sound or chunk.kind == b"iCCP":
                found[chunk.kind] = struct.unpack(">I", value)[0] / 100_000 if len(value) == 4 else 0.0
    return None if b"sRGB" in found else found.get(b"gAMA"), b"iCCP" in found
