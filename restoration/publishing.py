"""How a derivative appears under its name: whole, durable, and never over somebody else's file.

A process that is killed may leave a hidden `.NAME.*.part` behind, never a half `NAME`.
"""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyvips

from restoration import disclosure, jpeg_markers
from restoration.errors import NoSpace, OutputExists, OutputUnavailable, display_name
from restoration.jpeg_markers import APP_1, XMP_HEAD


@contextmanager
def draft(out: Path) -> Iterator[Path]:
    """Yield a hidden name beside `out`; whatever leaves the body by an error takes the file with it.

    Raises as `writing_to`.
    """
    path = out.with_name(f".{out.name}.{secrets.token_hex(4)}.part")
    with writing_to(out.parent):
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Tell what keeps a file from being written: NoSpace if the disk is full, else OutputUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise NoSpace(
                reason=f"the disk of {display_name(folder)} is full",
                remedy="free some space; work goes on by itself",
            ) from error
        raise OutputUnavailable(
            reason=f"{display_name(folder)} cannot be written to ({error.strerror or error})",
            remedy="see that it is there and that Saek may write to it; work goes on by itself",
        ) from error


def publish(path: Path, out: Path) -> None:
    """Bring a finished file to the disk and give it its name, replacing what was there."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.replace(out)
    folder = os.open(out.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def digest(path: Path) -> tuple[int, str]:
    """Return size and sha256 of a file."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        return file.seek(0, 2), found


def settle_luma_error(path: Path, largest: int, mean: float) -> None:
    """Write the measured luma error of a JPEG of ours into its packet, in place.

    Raises ValueError unless it holds a packet that waits for it.
    """
    with path.open("rb+") as file:
        for one in jpeg_markers.segments(file):
            if one.marker == APP_1 and one.content.startswith(XMP_HEAD):
                packet = one.content.removeprefix(XMP_HEAD)
                file.seek(one.end - len(packet))
                file.write(disclosure.settled(packet, largest, mean))
                return
    raise ValueError("the JPEG holds no packet")


def require_replaceable(out: Path, master: Path, master_sha256: str, fingerprint: str) -> None:
    """Raise OutputExists unless `out` is free or an earlier derivative of this master by this recipe."""
    if not os.path.lexists(out):
        return
    if out.is_file() and not out.is_symlink() and not out.samefile(master):
        facts = disclosed(out)
        if (facts.get("masterSha256"), facts.get("recipeFingerprint")) == (master_sha256, fingerprint):
            return
    raise OutputExists(
        reason="another file lies there", remedy="choose another name or move it away", path=out
    )


def disclosed(path: Path) -> Mapping[str, str]:
    """Return what a derivative says of its making (masterSha256, recipeFingerprint, weightsSha256, ...).

    Empty for a file that is no derivative of ours or cannot be read.
    """
    return disclosure.facts_in(_xmp_of(path))


def _xmp_of(path: Path) -> bytes:
    try:
        image = pyvips.Image.new_from_file(os.fspath(path))
        return bytes(image.get("xmp-data")) if image.get_typeof("xmp-data") else b""
    except pyvips.Error:
        return b""
