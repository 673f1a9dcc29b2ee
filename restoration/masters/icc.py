"""ICC profiles: how light each neutral color is.

The rules are those of LittleCMS, the color engine of most viewers, for the relative colorimetric intent:
tables (A2B) take precedence over curves, gray is on the line from black to white, and where the connection
space is Lab, L* is the curve itself. Curves are evaluated here, because LittleCMS resamples them coarsely
when it computes in 16 bits (3 L* off near black for gamma 1.0); tables are left to LittleCMS.

References: ICC.1:2001-04 and ICC.1:2010.
"""

import io
import struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyvips
from PIL import ImageCms

from restoration.arrays.tone_curve import STEPS, lightness

_HEADER: Final = 128
_MAX_TAGS: Final = 100
_TABLES: Final = (b"A2B1", b"A2B0")
_MAX_NAME: Final = 80
_MAX_FALL: Final = 0.5
"""L* by which a rising curve may fall: noise of a measured profile."""
_LEAST_CONTRAST: Final = 10.0
"""Least L* between black and white of a usable profile."""
_ROUNDING: Final = 1e-3
"""Maximum distance of the sum of three rounded colorant luminances from white."""
_PARAMETER_COUNTS: Final = (1, 3, 4, 5, 7)
"""Number of parameters of a parametric curve, by function type (ICC.1:2010, table 65)."""

Luminance = npt.NDArray[np.float64]


class UnusableProfile(Exception):
    """The profile gives no usable luminance of grays; the message says why."""


def profile_color_space(profile: bytes) -> str:
    """Return "gray", "RGB" or another color space that the header names. Raises UnusableProfile."""
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp":
        raise UnusableProfile("its header is not that of an ICC profile")
    space = profile[16:20].decode("latin-1").strip()
    return {"GRAY": "gray"}.get(space, "".join(c for c in space if c.isprintable()) or "an unknown space")


def profile_name(profile: bytes) -> str:
    """Return the description of a profile, printable and on one line, or ""."""
    try:
        text = _text(_tags(profile).get(b"desc", b""))
    except (UnusableProfile, struct.error, UnicodeDecodeError):
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_NAME]


def neutral_luminance(profile: bytes) -> Luminance:
    """Return the luminance of samples that are equal in all channels.

    The result (`STEPS`,), float64 in [0, 1], never falls; it is relative to the white of the profile. Raises
    UnusableProfile if the profile is damaged, is for neither gray nor RGB, or hardly rises.
    """
    space = profile_color_space(profile)
    if space not in {"gray", "RGB"}:
        raise UnusableProfile(f"it is for {space}, neither for gray nor for RGB")
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(profile))
        light = _light(profile, _tags(profile), gray=space == "gray")
    except (OSError, ImageCms.PyCMSError, pyvips.Error, struct.error) as error:
        raise UnusableProfile("LittleCMS cannot read it") from error
    if not np.isfinite(light).all():
        raise UnusableProfile("its tone curve has invalid values")
    light = np.clip(light, 0, 1)
    rising = np.maximum.accumulate(light)
    if np.max(lightness(rising) - lightness(light)) > _MAX_FALL:
        raise UnusableProfile("its tone curve does not rise from black to white")
    black, white = lightness(rising[[0, -1]])
    if white - black < _LEAST_CONTRAST:
        raise UnusableProfile("its tone curve shows black and white alike")
    return rising


def _light(profile: bytes, tags: dict[bytes, bytes], *, gray: bool) -> Luminance:
    if any(tag in tags for tag in _TABLES):
        return _by_table(profile, 1 if gray else 3)
    if gray:
        values = _curve(_required_tag(tags, b"kTRC"))
        return _luminance_from_lightness(100 * values) if profile[20:24] == b"Lab " else values
    weights = [_colorant_luminance(_required_tag(tags, tag)) for tag in (b"rXYZ", b"gXYZ", b"bXYZ")]
    curves = [_curve(_required_tag(tags, tag)) for tag in (b"rTRC", b"gTRC", b"bTRC")]
    white = sum(weights)
    if abs(white - 1) < _ROUNDING:
        weights = [weight / white for weight in weights]
    return np.asarray(sum(weight * curve for weight, curve in zip(weights, curves, strict=True)))


def _by_table(profile: bytes, bands: int) -> Luminance:
    """Return the luminance of all grays as LittleCMS computes it. Raises pyvips.Error."""
    ramp = np.arange(STEPS, dtype=np.uint16)[None, :, None].repeat(bands, axis=2)
    image = pyvips.Image.new_from_array(ramp, interpretation="grey16" if bands == 1 else "rgb16").copy()
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    # libvips silently replaces an unfit profile by `input_profile`; "cmyk" is unfit as well, so it raises.
    lab = image.icc_import(embedded=True, input_profile="cmyk", intent="relative", pcs="lab").numpy()
    return _luminance_from_lightness(np.asarray(lab[0, :, 0], np.float64))


def _luminance_from_lightness(values: Luminance) -> Luminance:
    root = (values + 16) / 116
    return np.where(values > 8, root**3, values / (29 / 3) ** 3)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    if count > _MAX_TAGS:
        raise UnusableProfile(f"it claims {count:,} tags")
    found: dict[bytes, bytes] = {}
    for i in range(count):
        tag, offset, size = struct.unpack_from(">4sII", profile, _HEADER + 4 + 12 * i)
        if offset + size <= len(profile):
            found.setdefault(tag, profile[offset : offset + size])
    return found


def _required_tag(tags: dict[bytes, bytes], tag: bytes) -> bytes:
    if tag not in tags:
        raise UnusableProfile(f"its tag {tag.decode('latin-1')} is missing or cut off")
    return tags[tag]


def _colorant_luminance(data: bytes) -> float:
    (y,) = struct.unpack_from(">i", data, 12)
    return float(y / 65536)


def _curve(data: bytes) -> Luminance:
    """Return a curve (`STEPS`,) of type curv or para, in [0, 1]. Raises struct.error."""
    kind = data[:4]
    x = np.linspace(0, 1, STEPS)
    if kind == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        if count == 0:
            return x
        if 12 + 2 * count > len(data):
            raise UnusableProfile("its tone curve is cut off")
        values = np.frombuffer(data, ">u2", count, 12).astype(np.float64)
        if count == 1:
            return np.asarray(x ** (values[0] / 256))
        return np.interp(x, np.linspace(0, 1, count), values / 65535)
    if kind == b"para":
        (function,) = struct.unpack_from(">H", data, 8)
        if function < len(_PARAMETER_COUNTS):
            numbers = struct.unpack_from(f">{_PARAMETER_COUNTS[function]}i", data, 12)
            return _parametric(x, function, [number / 65536 for number in numbers])
    raise UnusableProfile(f"its tone curve has the unknown type {kind.decode('latin-1')!r}")


def _parametric(x: Luminance, function: int, numbers: list[float]) -> Luminance:
    """Evaluate a parametric curve of ICC.1:2010, 10.16."""
    g, a, b, c, d, e, f = [*numbers, *[0.0] * 7][:7]
    if function == 0:
        a, start = 1.0, 0.0
    elif function <= 2:
        if not a:
            raise UnusableProfile("its tone curve divides by zero")
        start, e, f, c = -b / a, c, c, 0.0
    else:
        start = d
    with np.errstate(all="ignore"):
        power = np.maximum(a * x + b, 0) ** g + e
    return np.where(x >= start, power, c * x + f)


def _text(data: bytes) -> str:
    """Return the text of a tag of type desc or mluc. Raises struct.error, UnicodeDecodeError."""
    if data[:4] == b"desc":
        (count,) = struct.unpack_from(">I", data, 8)
        return data[12 : 12 + count].split(b"\0")[0].decode("latin-1")
    if data[:4] != b"mluc":
        return ""
    count, size = struct.unpack_from(">II", data, 8)
    records: list[tuple[Any, ...]] = [
        struct.unpack_from(">2s2sII", data, 16 + size * i) for i in range(min(count, _MAX_TAGS))
    ]
    records.sort(key=lambda record: record[0] != b"en")
    _, _, length, offset = records[0] if records else (b"", b"", 0, 0)
    return data[offset : offset + length].decode("utf-16-be")
