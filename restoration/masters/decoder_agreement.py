"""Whether two decoders read a master alike, and which luminance its derivative must have.

While the first decoder's samples of a master pass by, a second one that shares no code with it reads the same
rows (`second_decoder`), and every pixel is compared. What both see is the truth: the digest of its gray, and
of its alpha, upright, is what the finished derivative is held against.
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
"""What turns a picture upright, by EXIF orientation: 6 is a quarter turn clockwise."""
_PORTION: Final = 1 << 20
_SAVE: Final = "open it in the program that made it, check the picture, and save it as an uncompressed TIFF"
_COPY: Final = "copy or scan it again; if it shows no damage, save it as an uncompressed 8- or 16-bit TIFF"


@dataclass(frozen=True, slots=True)
class ReferenceDigests:
    """What a derivative is held against: the luminance of its master, pixel by pixel."""

    decoders: int
    """How many decoders read it alike: 2, or 1 where there is no second one."""
    gray_sha256: str
    """Of its gray integers, upright, rows top to bottom, little-endian."""
    alpha_sha256: str
    """Likewise of its alpha; of nothing if it has none."""


class DecoderComparison:
    """Takes in the samples of a master as one decoder reads them and compares them with those of another."""

    def __init__(
        self, path: Path, facts: ScanFacts, scratch: Path, other: Iterator[tuple[int, Gray]] | None
    ) -> None:
        """Compare with the rows that `other` gives, if there is a second decoder.

        A master that lies on its side is laid upright on a file without a name in `scratch`.
        """
        self._path, self._facts = path, facts
        self._other = None if other is None else RowBuffer(other)
        self._planes = [_Plane(facts, scratch), _Plane(facts, scratch)]

    def add(self, top: int, samples: Gray) -> None:
        """Take in the next rows (h, W, bands), from row `top` on.

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
        """Return what was seen when all rows have passed."""
        gray, alpha = (plane.sha256() for plane in self._planes)
        return ReferenceDigests(1 if self._other is None else 2, gray, alpha)

    def _compare(self, other: "RowBuffer", top: int, samples: Gray) -> None:
        try:
            theirs = other.take(len(samples))
        except NoSecondDecoder:
            self._other = None
            return
        except TruncatedImage as error:
            raise self._disagree(f"one reads all of it, for another {error.reason}", _COPY) from error
        if theirs.shape[2] == samples.shape[2] + 2:
            theirs = _neutral(theirs)
        if np.array_equal(samples, theirs):
            return
        if samples.shape != theirs.shape:
            raise self._disagree(f"one sees {samples.shape[2]} samples a pixel, another {theirs.shape[2]}")
        apart = np.abs(samples.astype(np.int64) - theirs).max(axis=2)
        row, column = np.unravel_index(int(apart.argmax()), apart.shape)
        raise self._disagree(
            f"their samples are up to {apart.max():,} steps apart, as at row {top + row:,}, column {column:,}"
        )

    def _disagree(self, detail: str, remedy: str = _SAVE) -> DecodersDisagree:
        return DecodersDisagree(
            reason=f"two decoders read it differently: {detail}",
            remedy=remedy,
            path=self._path,
        )


def _neutral(samples: Gray) -> Gray:
    """Return colors that are all gray, as in a palette of grays, as gray; others as they are."""
    same = np.array_equal(samples[..., 0], samples[..., 1]) and np.array_equal(
        samples[..., 0], samples[..., 2]
    )
    return samples[..., 2:] if same else samples


class _Plane:
    """The digest of one plane of a picture as it is seen upright."""

    def __init__(self, facts: ScanFacts, scratch: Path) -> None:
        self._facts, self._scratch = facts, scratch
        self._digest = hashlib.sha256()
        self._file: IO[bytes] | None = None
        self._dtype = np.dtype(np.uint8)

    def add(self, rows: Gray) -> None:
        """Take in rows (h, W) as they are stored."""
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
                    remedy="free some space; work goes on by itself",
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
    """Hands out the rows of a picture in portions of any size."""

    def __init__(self, portions: Iterator[tuple[int, Gray]]) -> None:
        self._portions = portions
        self._held: list[Gray] = []
        self._count = 0

    def take(self, count: int) -> Gray:
        """Return the next `count` rows. Raises what the portions raise."""
        while self._count < count:
            _, portion = next(self._portions)
            self._held.append(portion)
            self._count += len(portion)
        whole = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held, self._count = [whole[count:]] if len(whole) > count else [], len(whole) - count
        return whole[:count]
