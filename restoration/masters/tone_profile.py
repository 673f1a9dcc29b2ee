"""Tone profile of a master: the tone curve of its ICC profile or PNG gamma, or else that of sRGB."""

import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyvips

from restoration.arrays.tone_curve import STEPS, ToneCurve, lightness, srgb_to_linear
from restoration.masters import icc
from restoration.masters.facts import ScanFacts
from restoration.masters.libvips import load
from restoration.masters.png import chunks
from restoration.masters.safe_open import open_master
from restoration.masters.tiff.directory import open_tiff
from restoration.masters.tiff.facts import icc_profile
from restoration.masters.tiff.names import TagCode

_SRGB_TOLERANCE: Final = 0.1
"""L* up to which a curve counts as that of sRGB: sRGB profiles differ by their rounding."""
_EXPONENTS: Final = (0.1, 10.0)
"""Range of the exponent that the gamma of a PNG may give."""


@dataclass(frozen=True, slots=True)
class ToneProfile:
    """Tone curve that a master is displayed with, and where it comes from."""

    curve: ToneCurve | None = None
    """None is that of sRGB."""
    origin: str | None = None
    """Part of the file that gives it, with its name; None if nothing does."""
    noted: tuple[str, ...] = ()
    """Oddities, in sentences."""


_UNREADABLE: Final = ToneProfile(
    None,
    "ICC profile",
    ("The ICC profile cannot be read (damaged, or not for such a picture); it is not used",),
)


def read_tone_profile(path: Path, facts: ScanFacts) -> ToneProfile:
    """Return the tone profile of an identified master; a profile that cannot be used is noted.

    An ICC profile takes precedence, then in a PNG the chunk sRGB, then gAMA. Raises MasterError if the file
    cannot be read, pyvips.Error if it is damaged.
    """
    if facts.icc_sha256:
        return _from_icc(_icc_profile(path, facts), facts)
    if facts.format == "tiff":
        return _UNREADABLE if _has_icc_tag(path, facts) else ToneProfile()
    gamma, unreadable = _png_gamma(path) if facts.format == "png" else (None, False)
    found = ToneProfile() if gamma is None else _from_gamma(gamma)
    return replace(found, noted=(*_UNREADABLE.noted, *found.noted)) if unreadable else found


def _from_icc(profile: bytes, facts: ScanFacts) -> ToneProfile:
    name = icc.profile_name(profile)
    origin = f"ICC profile '{name}'" if name else "ICC profile"
    try:
        light = icc.neutral_luminance(profile)
        space = icc.profile_color_space(profile)
    except icc.UnusableProfile as error:
        return ToneProfile(
            None, origin, (f"The {origin} cannot be used ({error}); the picture is shown as sRGB",)
        )
    picture = "gray" if facts.mode.startswith("gray") else "RGB"
    noted: tuple[str, ...] = ()
    if space != picture:
        noted = (f"The {origin} is for {space}, the picture is {picture}: only its tone curve counts",)
    return ToneProfile(_curve(name, light), origin, noted)


def _from_gamma(gamma: float) -> ToneProfile:
    origin = f"PNG gamma {gamma:g}"
    exponent = 1 / gamma if gamma else 0.0
    if not _EXPONENTS[0] <= exponent <= _EXPONENTS[1]:
        return ToneProfile(None, origin, (f"The {origin} is out of range; the picture is shown as sRGB",))
    return ToneProfile(_curve(origin, np.linspace(0, 1, STEPS) ** exponent), origin)


def _curve(name: str, light: icc.Luminance) -> ToneCurve | None:
    srgb = srgb_to_linear(np.linspace(0, 1, STEPS))
    if np.max(np.abs(lightness(light) - lightness(srgb))) <= _SRGB_TOLERANCE:
        return None
    return ToneCurve(name, light.astype(np.float32))


def _icc_profile(path: Path, facts: ScanFacts) -> bytes:
    if facts.format == "tiff":
        with open_master(path) as file:
            return icc_profile(file, path, facts.file_bytes) or b""
    image = load(path, facts)
    kind = image.get_typeof("icc-profile-data")
    return bytes(image.get("icc-profile-data")) if kind == pyvips.GValue.blob_type else b""


def _has_icc_tag(path: Path, facts: ScanFacts) -> bool:
    """Return whether the first directory of a TIFF names a profile, readable or not."""
    with open_master(path) as file:
        first = open_tiff(file, facts.file_bytes).directories[0]
    return TagCode.ICC_PROFILE in first.fields or TagCode.ICC_PROFILE in first.lost


def _png_gamma(path: Path) -> tuple[float | None, bool]:
    """Return gAMA, the exponent that light was encoded with, and whether there is an ICC profile.

    gAMA is None if it is absent, or if the chunk sRGB takes precedence.
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
