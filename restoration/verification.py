"""Whether a finished derivative, read back from the disk, gives the master back."""

import hashlib
from dataclasses import dataclass

import numpy as np

from restoration import derivative
from restoration.color import Gray, luma
from restoration.errors import LumaMismatch, TruncatedImage
from restoration.reading import RowListener, Scan


@dataclass(frozen=True, slots=True)
class Measured:
    """What reading the derivative back showed."""

    luma_max_error: int
    """In steps of the derivative's bit depth."""
    luma_mean_error: float
    pixel_sha256: str
    """Of the decoded samples: rows top to bottom, interleaved, little-endian."""


def measure(made: Scan, master: Scan, *, lossless: bool, listener: RowListener | None = None) -> Measured:
    """Decode the derivative and the master side by side and compare luma, and alpha where it was carried.

    Raises LumaMismatch if a lossless derivative differs in a single pixel, or if it cannot be read back.
    """
    digest = hashlib.sha256()
    largest, total, seen = 0, 0, 0
    expected = _Rows(master)
    try:
        for top, samples in made.stored_strips():
            digest.update(np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data)
            gray, alpha = expected.take(len(samples))
            wanted = gray if samples.dtype == gray.dtype else derivative.to_8_bit(gray)
            error = np.abs(luma(samples[..., :3]).astype(np.int32) - wanted)
            largest = max(largest, int(error.max()))
            total += int(error.sum(dtype=np.int64))
            seen += error.size
            if samples.shape[2] == 4 and (alpha is None or not np.array_equal(samples[..., 3], alpha)):
                raise _mismatch(made, "its alpha is not that of the master")
            if lossless and largest:
                raise _mismatch(made, f"its luminance differs from the master's by {largest} steps")
            if listener:
                listener(top + len(samples), made.facts.height)
    except TruncatedImage as error:
        if error.path == master.path:
            raise
        raise _mismatch(made, f"it cannot be read back ({error.reason})") from error
    return Measured(largest, total / seen, digest.hexdigest())


def _mismatch(made: Scan, reason: str) -> LumaMismatch:
    return LumaMismatch(
        reason=f"the derivative was not kept: {reason}",
        remedy="check the disk and memory of this machine, then report it with the master",
        path=made.path,
    )


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
