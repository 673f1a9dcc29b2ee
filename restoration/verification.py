"""Whether a finished derivative, read back from the disk, gives the master back.

A TIFF was proven while it was written, each compressed piece by itself (`sealing`): its file is then found,
by its own header, to hold those very pieces. Of the other formats every pixel is decoded again and compared.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from restoration import tiff_header
from restoration.color import Gray, luma
from restoration.errors import LumaMismatch, MasterError
from restoration.facts import Limits
from restoration.opening import open_master
from restoration.painting import Canvas, to_8_bit
from restoration.reading import RowListener, Scan
from restoration.scan import identify
from restoration.sealing import mismatch
from restoration.tiff import Proof

_NO_LIMITS = Limits(1 << 62, 1 << 62)


@dataclass(frozen=True, slots=True)
class Measured:
    """What reading the derivative back showed."""

    luma_max_error: int
    """In steps of the derivative's bit depth."""
    luma_mean_error: float
    pixel_sha256: str
    """Of the decoded samples: rows top to bottom, interleaved, little-endian."""


def confirm(path: Path, canvas: Canvas, proof: Proof, listener: RowListener | None = None) -> Measured:
    """Find in the finished TIFF the pieces that were proven, at the places that its own header tells.

    The reader of masters must see the canvas in it, and in its first strip the samples that were painted.
    Raises LumaMismatch.
    """
    try:
        facts = identify(path, _NO_LIMITS)
        _, first = next(Scan(path, facts, path.parent).stored_strips())
        pages = _pages(path, listener)
    except (MasterError, *tiff_header.LEAKS) as error:
        raise _not_kept(f"it cannot be read back ({error})", path) from error
    seen = (facts.width, facts.height, facts.bands, facts.bit_depth, facts.mode, facts.orientation)
    if seen != (canvas.width, canvas.height, canvas.bands, canvas.bits, "rgb", 1):
        raise _not_kept(f"its header tells of {seen}", path)
    if hashlib.sha256(_little_endian(first)).hexdigest() != proof.first_sha256:
        raise _not_kept("another reader sees other samples in it", path)
    if pages != proof.pages:
        raise _not_kept("it does not hold what was written", path)
    return Measured(0, 0.0, proof.pixel_sha256)


def _pages(path: Path, listener: RowListener | None) -> tuple[str, ...]:
    """Return the sha256 of the compressed pieces of each page of a TIFF."""
    found: list[str] = []
    page: Any
    with open_master(path) as file, tifffile.TiffFile(file, name=path.name) as tiff:
        for page in tiff.pages:
            digest = hashlib.sha256()
            pieces = list(zip(page.dataoffsets, page.databytecounts, strict=True))
            for i, (offset, size) in enumerate(pieces):
                file.seek(offset)
                digest.update(file.read(size))
                if listener and not found:
                    listener((i + 1) * page.imagelength // len(pieces), page.imagelength)
            found.append(digest.hexdigest())
    return tuple(found)


def measure(path: Path, master: Scan, *, lossless: bool, listener: RowListener | None = None) -> Measured:
    """Decode the derivative and the master side by side and compare luma, and alpha where it was carried.

    Raises LumaMismatch if a lossless derivative differs in a single pixel, or if it cannot be read back.
    """
    digest = hashlib.sha256()
    largest, total, seen = 0, 0, 0
    expected = _Rows(master)
    try:
        made = Scan(path, identify(path, _NO_LIMITS), path.parent)
        for top, samples in made.stored_strips():
            digest.update(_little_endian(samples))
            gray, alpha = expected.take(len(samples))
            wanted = gray if samples.dtype == gray.dtype else to_8_bit(gray)
            error = np.abs(luma(samples[..., :3]).astype(np.int32) - wanted)
            largest = max(largest, int(error.max()))
            total += int(error.sum(dtype=np.int64))
            seen += error.size
            if samples.shape[2] == 4 and (alpha is None or not np.array_equal(samples[..., 3], alpha)):
                raise _not_kept("its alpha is not that of the master", path)
            if lossless and largest:
                raise _not_kept(f"its luminance differs from the master's by {largest} steps", path)
            if listener:
                listener(top + len(samples), made.facts.height)
    except MasterError as error:
        if error.path == master.path:
            raise
        raise _not_kept(f"it cannot be read back ({error.reason})", path) from error
    return Measured(largest, total / seen, digest.hexdigest())


def _not_kept(reason: str, path: Path) -> LumaMismatch:
    error = mismatch(reason)
    return LumaMismatch(reason=error.reason, remedy=error.remedy, path=path)


def _little_endian(samples: Gray) -> memoryview:
    return np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data


class _Rows:
    """Hands out the rows of a scan in portions of any size."""

    def __init__(self, scan: Scan) -> None:
        self._strips = scan.strips()
        self._gray: Gray = np.empty((0, 0), np.uint8)
        self._alpha: Gray | None = None

    def take(self, count: int) -> tuple[Gray, Gray | None]:
        """Return gray and alpha of the next `count` rows."""
        while len(self._gray) < count:
            strip = next(self._strips)
            self._gray = np.concatenate((self._gray, strip.gray)) if len(self._gray) else strip.gray
            if strip.alpha is not None:
                self._alpha = (
                    strip.alpha if self._alpha is None else np.concatenate((self._alpha, strip.alpha))
                )
        gray, self._gray = self._gray[:count], self._gray[count:]
        if self._alpha is None:
            return gray, None
        alpha, self._alpha = self._alpha[:count], self._alpha[count:]
        return gray, alpha
