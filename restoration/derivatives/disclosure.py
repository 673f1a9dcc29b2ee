"""The disclosure in finished derivatives: read back, and completed with the luma error."""

import os
from collections.abc import Mapping
from pathlib import Path

import pyvips

from restoration.derivatives import xmp
from restoration.errors import OutputExists
from restoration.masters.jpeg import markers
from restoration.masters.jpeg.markers import APP_1, XMP_HEAD
from restoration.masters.metadata import own_derivative


def write_luma_error(path: Path, largest: int, mean: float) -> None:
    """Write the measured luma error of a JPEG of Saek into its packet, in place.

    Raises ValueError if it holds no packet with marks for it.
    """
    with path.open("rb+") as file:
        for one in markers.read_segments(file):
            if one.marker == APP_1 and one.content.startswith(XMP_HEAD):
                packet = one.content.removeprefix(XMP_HEAD)
                file.seek(one.end - len(packet))
                file.write(xmp.with_luma_error(packet, largest, mean))
                return
    raise ValueError("the JPEG holds no packet")


def require_replaceable(out: Path, master: Path, master_sha256: str, fingerprint: str) -> None:
    """Raise OutputExists unless `out` is free or an earlier derivative of this master by this recipe."""
    if not os.path.lexists(out):
        return
    if out.is_file() and not out.is_symlink() and not out.samefile(master):
        facts = read_disclosure(out)
        if (facts.get("masterSha256"), facts.get("recipeFingerprint")) == (master_sha256, fingerprint):
            return
    raise OutputExists(reason="another file is there", remedy="choose another name or move it away", path=out)


def read_disclosure(path: Path) -> Mapping[str, str]:
    """Return the disclosure of a derivative (masterSha256, recipeFingerprint, weightsSha256, ...).

    Empty for a file that is not a derivative of Saek or cannot be read.
    """
    return own_derivative.saek_properties(_xmp_of(path))


def _xmp_of(path: Path) -> bytes:
    try:
        image = pyvips.Image.new_from_file(os.fspath(path))
        return bytes(image.get("xmp-data")) if image.get_typeof("xmp-data") else b""
    except pyvips.Error:
        return b""
