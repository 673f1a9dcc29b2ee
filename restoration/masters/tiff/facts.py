"""Facts in the header of a TIFF picture, and its ICC profile."""

import hashlib
from io import BufferedReader
from pathlib import Path
from typing import Final

from restoration.masters.facts import ScanFacts
from restoration.masters.tiff.directory import Directory
from restoration.masters.tiff.layout import ASSOCIATED, PALETTE
from restoration.masters.tiff.names import TagCode
from restoration.masters.tiff.picture import TiffPicture, find_picture, readable_directories

_WHITE: Final = 255
_INCH, _CENTIMETER = 2, 3
"""Values of ResolutionUnit (tag 296)."""
_MAX_DPI: Final = 1_000_000


def read_facts(file: BufferedReader, path: Path, size: int) -> ScanFacts:
    """Return the facts of the only picture in an open TIFF of `size` bytes; raises as `find_picture`."""
    picture = find_picture(file, path, size)
    with readable_directories(path):
        return picture_facts(picture)


def icc_profile(file: BufferedReader, path: Path, size: int) -> bytes | None:
    """Return the ICC profile of the picture; raises as `find_picture`."""
    picture = find_picture(file, path, size)
    with readable_directories(path):
        return picture.directory.raw(TagCode.ICC_PROFILE)


def picture_facts(picture: TiffPicture) -> ScanFacts:
    """Return the facts of a page. Raises NoDirectory or OSError."""
    layout, directory, tiff = picture.layout, picture.directory, picture.tiff
    if picture.page:
        tiff.note(f"TIFF: the picture is on page {picture.page + 1}; the pages before it are only previews")
    kept = layout.colors + (layout.alpha is not None)
    if dropped := layout.channels - kept:
        channels = "channel" if dropped == 1 else "channels"
        tiff.note(f"TIFF: {dropped} extra {channels} of unspecified meaning dropped (not transparency)")
    icc = directory.raw(TagCode.ICC_PROFILE)
    orientation = directory.integer(TagCode.ORIENTATION, 1)
    dpi = _dpi(directory)  # may add a note
    if layout.mode == "ycbcr" and not _is_full_range(directory):
        tiff.note("TIFF: its YCbCr has black and white of its own (ReferenceBlackWhite); Y stays as it is")
    alpha = layout.alpha
    return ScanFacts(
        format="tiff",
        width=layout.width,
        height=layout.height,
        bands=(3 if layout.photometric == PALETTE else layout.colors) + (alpha is not None),
        bit_depth=layout.bits,
        mode=layout.mode,
        alpha=alpha is not None,
        orientation=orientation if orientation in range(1, 9) else 1,
        pages=1,
        icc_sha256=hashlib.sha256(icc).hexdigest() if icc else None,
        dpi=dpi,
        file_bytes=tiff.size,
        alpha_associated=alpha is not None and layout.extras[alpha - layout.colors] == ASSOCIATED,
        page=picture.page,
        notes=tuple(tiff.notes),
    )


def _is_full_range(directory: Directory) -> bool:
    """Return whether black is 0 and white 255 in YCbCr, as they are without ReferenceBlackWhite."""
    one = directory.fields.get(TagCode.REFERENCE_BLACK_WHITE)
    if one is None or one.count < 2:
        return True
    black, white = (
        directory.ratio(TagCode.REFERENCE_BLACK_WHITE),
        directory.ratio(TagCode.REFERENCE_BLACK_WHITE, 1),
    )
    return black == 0 and white == _WHITE


def _dpi(directory: Directory) -> tuple[float, float] | None:
    x, y, unit = (
        directory.ratio(TagCode.X_RESOLUTION),
        directory.ratio(TagCode.Y_RESOLUTION),
        directory.integer(TagCode.RESOLUTION_UNIT, _INCH),
    )
    if (
        TagCode.X_RESOLUTION not in directory.fields
        or TagCode.Y_RESOLUTION not in directory.fields
        or unit == 1
    ):
        return None
    if unit not in {_INCH, _CENTIMETER}:
        directory.file.note(f"TIFF: ResolutionUnit {unit} is unknown; resolution dropped")
        return None
    factor = 2.54 if unit == _CENTIMETER else 1.0
    if not x or not y or not (0 < float(x) * factor < _MAX_DPI and 0 < float(y) * factor < _MAX_DPI):
        if x or y:
            directory.file.note("TIFF: the resolution is not a valid number; dropped")
        return None
    return round(float(x) * factor, 4), round(float(y) * factor, 4)
