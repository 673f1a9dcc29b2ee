"""Comparison of two decoders of a master, and the digests that its derivative must match.

While the first decoder reads the master, a second decoder that shares no code with it (`second_decoder`)
reads the same rows, and every pixel is compared. The digests of the upright gray and alpha that both agree on
are what the finished derivative is verified against.
"""

import errno
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import numpy as np

from restoration.arrays import reference_luma
from restoration.arrays.luma import Gray
from restoration.errors import DecodersDisagree, NoSpace, TruncatedImage, display_name
from restoration.masters.decode_errors import NoSecondDecoder
from restoration.masters.facts import ScanFacts

_UPRIGHT: Final[dict[int, Callable[[Gray], Gray]]] = {
    2: np.fliplr,
    3: lambda plane: np.rot90(plane, 2),
    4: np.flipud,
    5: lambda plane: np.flipud(np.rot90(plane)),
    6: lambda plane: np.rot90(plane, -1),
    7: lambda plane: np.fliplr(np.rot90(plane)),
    8: np.rot90,
}
"""Function that turns a plane upright, by EXIF orientation. Deliberately not `orientation.upright`."""
_PORTION: Final = 1 << 20
_SAVE_AGAIN: Final = (
    "open it in the program that made it, check the picture, and save it as an uncompressed TIFF"
)
_COPY_AGAIN: Final = (
    "copy or scan it again; if it shows no damage, save it as an uncompressed 8- or 16-bit TIFF"
)


@dataclass(frozen=True, slots=True)
class ReferenceDigests:
    """Digests of a master's upright planes, which its derivative is verified against."""

    decoders: int
    """Number of decoders that agree: 2, or 1 where there is no second decoder."""
    gray_sha256: str
    """Of the gray integers, rows top to bottom, little-endian."""
    alpha_sha256: str
    """The same of the alpha; of no bytes if there is none."""


class DecoderComparison:
    """Compares the samples of a master from one decoder with those from another, and digests them."""

    def __init__(
        self, path: Path, facts: ScanFacts, scratch: Path, other: Iterator[tuple[int, Gray]] | None
    ) -> None:
        """Compare with the rows of `other`, None if there is no second decoder.

        A master whose orientation is not 1 is turned upright in an unnamed file in `scratch`.
        """
        self._path, self._facts = path, facts
        self._other = None if other is None else RowBuffer(other)
        self._planes = [_PlaneDigest(facts, scratch), _PlaneDigest(facts, scratch)]

    def add(self, top: int, samples: Gray) -> None:
        """Add the next rows (h, W, bands), uint8 or uint16, from row `top` on.

        Raises DecodersDisagree, NoSpace, MasterUnavailable or, from the scratch file, OSError.
        """
        if self._other is not None:
            self._compare(self._other, top, samples)
        bands = samples.shape[2]
        if self._facts.mode == "ycbcr" or bands <= 2:
            self._planes[0].add(samples[..., 0])
        else:
            self._planes[0].add(reference_luma.fixed_point_luma(samples[..., :3]))
        if bands in {2, 4}:
            self._planes[1].add(samples[..., -1])

    def finish(self) -> ReferenceDigests:
        """Return the digests, after all rows have been added."""
        gray, alpha = (plane.sha256() for plane in self._planes)
        return ReferenceDigests(1 if self._other is None else 2, gray, alpha)

    def _compare(self, other: "RowBuffer", top: int, samples: Gray) -> None:
        try:
            others = other.take(len(samples))
        except NoSecondDecoder:
            self._other = None
            return
        except TruncatedImage as error:
            raise self._disagree(
                f"one reads all of it, another reports that {error.reason}", _COPY_AGAIN
            ) from error
        if others.shape[2] == samples.shape[2] + 2:
            others = _neutral_as_gray(others)
        if np.array_equal(samples, others):
            return
        if samples.shape != others.shape:
            raise self._disagree(f"one sees {samples.shape[2]} samples per pixel, another {others.shape[2]}")
        difference = np.abs(samples.astype(np.int64) - others).max(axis=2)
        row, column = np.unravel_index(int(difference.argmax()), difference.shape)
        raise self._disagree(
            f"their samples are up to {difference.max():,} steps apart, "
            f"as at row {top + row:,}, column {column:,}"
        )

    def _disagree(self, detail: str, remedy: str = _SAVE_AGAIN) -> DecodersDisagree:
        return DecodersDisagree(
            reason=f"two decoders read it differently: {detail}",
            remedy=remedy,
            path=self._path,
        )


def _neutral_as_gray(samples: Gray) -> Gray:
    """Return colors that are all gray, as in a palette of grays, as gray; others as they are."""
    neutral = np.array_equal(samples[..., 0], samples[..., 1]) and np.array_equal(
        samples[..., 0], samples[..., 2]
    )
    return samples[..., 2:] if neutral else samples


class _PlaneDigest:
    """Digest of one plane of a picture, upright."""

    def __init__(self, facts: ScanFacts, scratch: Path) -> None:
        self._facts, self._scratch = facts, scratch
        self._digest = hashlib.sha256()
        self._file: IO[bytes] | None = None
        self._dtype = np.dtype(np.uint8)

    def add(self, rows: Gray) -> None:
        """Add rows (h, W) as stored."""
        self._dtype = rows.dtype
        data = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).data
        if self._facts.orientation == 1:
            self._digest.update(data)
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._scratch)  # noqa: SIM115  (closed by sha256)
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise NoSpace(
                    reason=f"the disk of {display_name(self._scratch)} is full",
                    remedy="free some space; work continues automatically",
                ) from error
            raise

    def sha256(self) -> str:
        """Return the digest."""
        if self._file is not None:
            with self._file as file:
                shape = (self._facts.height, self._facts.width)
                stored: Gray = np.memmap(file, self._dtype.newbyteorder("<"), "r", shape=shape)
                upright = _UPRIGHT[self._facts.orientation](stored)
                rows = max(1, _PORTION // upright.shape[1])
                for top in range(0, len(upright), rows):
                    self._digest.update(np.ascontiguousarray(upright[top : top + rows]).data)
        return self._digest.hexdigest()


class RowBuffer:
    """Rows of a picture, taken in portions of any size."""

    def __init__(self, portions: Iterator[tuple[int, Gray]]) -> None:
        self._portions = portions
        self._held: list[Gray] = []
        self._count = 0

    def take(self, count: int) -> Gray:
        """Return the next rows (count, W, bands), uint8 or uint16. Raises what the portions raise."""
        while self._count < count:
            _, portion = next(self._portions)
            self._held.append(portion)
            self._count += len(portion)
        whole = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held, self._count = [whole[count:]] if len(whole) > count else [], len(whole) - count
        return whole[:count]
