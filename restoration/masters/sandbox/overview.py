"""The overview of a master, which the first reading of all its pixels finds, and its message."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from restoration.arrays.luma import Float
from restoration.arrays.tone_curve import STEPS, ToneCurve
from restoration.masters.decoder_agreement import ReferenceDigests
from restoration.masters.facts import ScanFacts
from restoration.masters.sandbox.protocol import ProtocolError, decode_facts, decode_notes, encode_facts
from restoration.masters.tone_profile import ToneProfile

_MAX_BANDS: Final = 3
_CURVE_BYTES: Final = 4 * STEPS
_MAX_TEXT: Final = 500
_MAX_NOTES: Final = 8
_SHA256: Final = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class MasterOverview:
    """Result of the first reading of all pixels of a master."""

    facts: ScanFacts
    planes: Float
    """The reduced picture (C, h, w), float32 in [0, 1], in sRGB; see `Master.overview`."""
    samples_sha256: bytes
    """Digest of the samples as stored."""
    reference: ReferenceDigests
    """Digests that the derivative is verified against."""
    tone_profile: ToneProfile = ToneProfile()  # noqa: RUF009 - frozen
    notes: tuple[str, ...] = ()
    """Harmless oddities of the file: the notes of its facts, and those of its pixels."""


def max_raw_bytes(long_side: int) -> int:
    """Return the largest number of raw bytes of an overview reduced to `long_side`."""
    return 4 * _MAX_BANDS * long_side**2 + _CURVE_BYTES


def encode_overview(overview: MasterOverview) -> tuple[dict[str, Any], list[bytes | memoryview]]:
    """Return the message of an overview and its raw bytes: planes, then tone curve, little-endian float32."""
    profile = overview.tone_profile
    message = {
        "facts": encode_facts(overview.facts),
        "shape": overview.planes.shape,
        "samples": overview.samples_sha256.hex(),
        "tone_profile": encode_tone_profile(profile),
        "reference": asdict(overview.reference),
        "notes": list(overview.notes),
    }
    planes = np.ascontiguousarray(overview.planes, "<f4").data.cast("B")
    return message, [planes, encode_curve(profile)]


def decode_overview(message: Mapping[str, Any], raw: bytes) -> MasterOverview:
    """Return the overview of `encode_overview`. Raises ProtocolError unless it is complete and in range."""
    match message.get("shape"), message.get("samples"):
        case [int(bands), int(height), int(width)], str(samples):
            pass
        case _:
            raise ProtocolError("a malformed overview")
    end = 4 * bands * height * width
    if min(bands, height, width) < 1 or bands not in {1, 3} or len(raw) < end:
        raise ProtocolError("an overview of another size")
    profile = decode_tone_profile(message.get("tone_profile"), raw[end:])
    planes = np.frombuffer(raw[:end], "<f4").reshape(bands, height, width).astype(np.float32)
    if not (np.isfinite(planes).all() and planes.min() >= 0 and planes.max() <= 1):
        raise ProtocolError("an overview out of range")
    try:
        digest = bytes.fromhex(samples)
    except ValueError as error:
        raise ProtocolError("an overview without a digest") from error
    facts, notes = decode_facts(message.get("facts")), decode_notes(message.get("notes"))
    return MasterOverview(facts, planes, digest, decode_reference(message.get("reference")), profile, notes)


def decode_reference(value: object) -> ReferenceDigests:
    """Return reference digests. Raises ProtocolError unless they are complete and well-formed."""
    match value:
        case {"decoders": 1 | 2 as decoders, "gray_sha256": str(gray), "alpha_sha256": str(alpha), **rest}:
            if not rest and _SHA256.fullmatch(gray) and _SHA256.fullmatch(alpha):
                return ReferenceDigests(decoders, gray, alpha)
    raise ProtocolError("an overview without reference digests")


def encode_tone_profile(profile: ToneProfile) -> dict[str, Any]:
    """Return a tone profile without the values of its curve, as JSON can hold it."""
    name = None if profile.curve is None else profile.curve.name
    return {"curve": name, "origin": profile.origin, "noted": list(profile.noted)}


def encode_curve(profile: ToneProfile) -> bytes:
    """Return the values of the curve of a tone profile, none for sRGB."""
    return b"" if profile.curve is None else profile.curve.light.astype("<f4").tobytes()


def decode_tone_profile(value: object, curve: bytes) -> ToneProfile:
    """Return the profile of `encode_tone_profile` and `encode_curve`.

    Raises ProtocolError unless its texts are short and printable, and its curve rises within [0, 1].
    """
    if not isinstance(value, Mapping) or set(value) != {"curve", "origin", "noted"}:
        raise ProtocolError("a malformed tone profile")
    name, origin, noted = value["curve"], value["origin"], value["noted"]
    if not isinstance(noted, list) or len(noted) > _MAX_NOTES or not all(map(_is_short_text, noted)):
        raise ProtocolError("malformed notes")
    if not all(text is None or _is_short_text(text) for text in (name, origin)):
        raise ProtocolError("a tone profile without a printable name")
    if name is None:
        if curve:
            raise ProtocolError("values without a curve")
        return ToneProfile(None, origin, tuple(noted))
    light = np.frombuffer(curve, "<f4").astype(np.float32) if len(curve) == _CURVE_BYTES else None
    if light is None or not np.isfinite(light).all() or light[0] < 0 or light[-1] > 1:
        raise ProtocolError("a curve out of range")
    if np.any(np.diff(light) < 0) or light[0] == light[-1]:
        raise ProtocolError("a curve that does not rise")
    return ToneProfile(ToneCurve(name, light), origin, tuple(noted))


def _is_short_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_TEXT and value.isprintable()
