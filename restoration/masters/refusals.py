"""Errors for masters that cannot be read, with the remedies that several formats share."""

from pathlib import Path
from typing import Final

from restoration.errors import MasterUnavailable, OutOfMemory, TruncatedImage, UnsupportedImage
from restoration.masters.safe_open import reports_storage_failure

CONVERT: Final = "convert it to an 8- or 16-bit gray or RGB TIFF"
CONVERT_WITH_VIEWER: Final = f"{CONVERT} with a program that displays it correctly"
EXPORT: Final = "export it as an 8- or 16-bit gray or RGB TIFF with one picture"
RECOMPRESS: Final = "convert it to TIFF with LZW, Deflate or no compression"
COPY_OR_SCAN_AGAIN: Final = "copy or scan it again"


def unsupported(path: Path, reason: str, remedy: str = CONVERT) -> UnsupportedImage:
    """Return the error for a picture of a kind that is not restored."""
    return UnsupportedImage(reason=reason, remedy=remedy, path=path)


def camera_raw(path: Path, name: str) -> UnsupportedImage:
    """Return the error for a camera raw file of the format `name`."""
    return unsupported(
        path,
        f"it is a camera raw file ({name})",
        "develop it in a raw converter, and export it as an 8- or 16-bit gray or RGB TIFF",
    )


def truncated(path: Path, reason: str, remedy: str = COPY_OR_SCAN_AGAIN) -> TruncatedImage:
    """Return the error for a damaged or incomplete file."""
    return TruncatedImage(reason=reason, remedy=remedy, path=path)


def unreadable_pixels(
    path: Path, detail: str, message: str = ""
) -> TruncatedImage | OutOfMemory | MasterUnavailable:
    """Return the error for pixel data that cannot be decoded.

    `message` is all that a library reported; it shows whether the storage or the memory failed instead.
    """
    message = message or detail
    if reports_storage_failure(message):
        return MasterUnavailable(
            reason=f"the storage that holds it is failing ({detail})",
            remedy="check the disk or the share; work continues automatically",
            path=path,
        )
    if "memory" in message.lower():
        return OutOfMemory(
            reason=f"there was not enough memory to read it ({detail})",
            remedy="free some memory; work continues automatically",
            path=path,
        )
    return truncated(path, f"its pixel data are cut off or damaged ({detail})")
