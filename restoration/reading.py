"""How the pixels of an identified master are read: upright, strip by strip, damaged data refused.

libvips decodes; what it has no decoder for (ZSTD and LZMA TIFF) goes through tifffile onto a scratch file. A
master that lies on its side is laid upright on a scratch file too, so that memory stays bounded.
"""

import errno
import math
import mmap
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyvips
import tifffile

from restoration import resample, tiff_header
from restoration.agreement import Agreement
from restoration.area import AreaMean
from restoration.color import Float, Gray, luma
from restoration.errors import MasterUnavailable, NoSpace, OutOfMemory, TruncatedImage, display_name
from restoration.facts import ScanFacts
from restoration.opening import open_master, require_storage, storage_fails
from restoration.plausibility import Resemblance
from restoration.scan import first_line, load, unsupported
from restoration.tone_curve import ToneCurve

STRIP_PIXELS = 1 << 18
"""Pixels a strip: its planes fit a processor's cache."""

_T = TypeVar("_T", bound=np.generic)

RowListener = Callable[[int, int], None]
"""Called with the rows done and the rows in all."""


class Digest(Protocol):
    """A running checksum, as `hashlib` makes them."""

    def update(self, data: memoryview, /) -> None:
        """Take in more bytes."""


def strip_rows(width: int, height: int) -> int:
    """Return how many rows make up a strip of a picture of that size: all of them, or a power of two."""
    most = max(1, STRIP_PIXELS // width)
    return height if height <= most else 1 << (most.bit_length() - 1)


@dataclass(frozen=True, slots=True)
class Strip:
    """Rows of a master: its gray integers and alpha (h, W), uint8 or uint16."""

    top: int
    gray: Gray
    alpha: Gray | None


@dataclass(frozen=True, slots=True)
class Scan:
    """An identified master whose pixels can be read as often as wanted."""

    path: Path
    facts: ScanFacts
    scratch: Path
    """Folder for files without a name, used where the master cannot be streamed."""

    def overview(
        self,
        long_side: int,
        listener: RowListener | None = None,
        digest: Digest | None = None,
        *,
        resemblance: Resemblance | None = None,
        curve: ToneCurve | None = None,
        agreement: Agreement | None = None,
    ) -> Float:
        """Return the upright color bands (C, h, w) in [0, 1], C 1 or 3, averaged to `long_side` or smaller.

        `digest`, `resemblance` and `agreement` take in the samples as they are stored; the bands are those
        that are shown in sRGB if the samples have another `curve`.

        Raises TruncatedImage, DecodersDisagree, OutOfMemory, MasterUnavailable or NoSpace.
        """
        facts = self.facts
        long = max(facts.width, facts.height)
        height, width = resample.fit(facts.height, facts.width, min(long, long_side))
        mean = AreaMean(facts.height, facts.width, height, width)
        shown = curve.shown(np.uint8 if facts.depth == 8 else np.uint16) if curve else None
        for top, samples in self.stored_strips(digest):
            bands = samples[..., : 3 if samples.shape[-1] >= 3 else 1]
            mean.add(bands if shown is None else np.take(shown, bands))
            if agreement:
                agreement.add(top, samples)
            if resemblance:
                resemblance.add(samples)
            if listener:
                listener(top + samples.shape[0], facts.height)
        return np.ascontiguousarray(_upright(mean.planes(), facts.orientation))

    def strips(self, digest: Digest | None = None) -> Iterator[Strip]:
        """Yield the upright master from top to bottom; `digest` takes in the samples as they are stored.

        Raises TruncatedImage, OutOfMemory or, from the scratch file, OSError.
        """
        if self.facts.orientation == 1:
            yield from (_strip(top, samples) for top, samples in self.stored_strips(digest))
        else:
            yield from self._turned_strips(digest)

    def _turned_strips(self, digest: Digest | None) -> Iterator[Strip]:
        facts = self.facts
        with tempfile.TemporaryFile(dir=self.scratch) as file:
            for top, samples in self.stored_strips(digest):
                strip = _strip(top, samples)
                planes = (strip.gray,) if strip.alpha is None else (strip.gray, strip.alpha)
                lying = np.stack(planes, axis=1)  # rows, planes, columns: one row after the other in the file
                file.write(lying.tobytes())
            file.flush()
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # closed with its last view
            stored = np.frombuffer(memory, lying.dtype).reshape(facts.height, -1, facts.width)
            yield from _slices(_upright(np.moveaxis(stored, 1, 0), facts.orientation))

    def stored_strips(self, digest: Digest | None = None) -> Iterator[tuple[int, Gray]]:
        """Yield the top row and the samples (h, W, bands) of each strip as they are stored."""
        try:
            second = self.second_decoder_only()
            strips = self._second_reader() if second else _vips_strips(load(self.path, self.facts))
            for top, samples in strips:
                if digest:
                    digest.update(np.ascontiguousarray(samples).data)
                yield top, samples
        except pyvips.Error as error:
            raise self._damaged(first_line(error)) from error

    def second_decoder_only(self) -> bool:
        """Whether the first decoder has no means to read it, so that the second one reads it for the work."""
        if self.facts.format != "tiff":
            return False
        with open_master(self.path) as file:
            return tiff_header.needs_second_reader(self.path, file)

    def _second_reader(self) -> Iterator[tuple[int, Gray]]:
        if self.facts.mode not in {"gray", "gray-inverted", "rgb"} or self.facts.bit_depth < 8:
            raise unsupported(self.path, "its compression is read for 8- and 16-bit gray and RGB only")
        try:
            with (
                open_master(self.path) as file,
                tifffile.TiffFile(file, name=self.path.name) as tiff,
            ):
                page = tiff.pages.first
                samples = page.asarray(out=self._room_for(page), maxworkers=1)
                if page.planarconfig == 2 and samples.ndim == 3:
                    samples = np.moveaxis(samples, 0, -1)
        except OSError as error:
            require_storage(error, self.path)
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise NoSpace(
                    reason=f"the disk of {display_name(self.scratch)} is full",
                    remedy="free some space; work goes on by itself",
                ) from error
            raise self._damaged(str(error)) from error
        except MemoryError as error:
            raise self._damaged("memory") from error
        except tiff_header.LEAKS as error:
            raise self._damaged(str(error)) from error
        samples = samples.reshape(self.facts.height, self.facts.width, -1)
        rows = strip_rows(self.facts.width, self.facts.height)
        for top in range(0, self.facts.height, rows):
            part = np.asarray(samples[top : top + rows])
            if self.facts.mode == "gray-inverted":
                part = np.concatenate((np.iinfo(part.dtype).max - part[..., :1], part[..., 1:]), axis=-1)
            yield top, part

    def _room_for(self, page: tifffile.TiffPage) -> "np.memmap[Any, Any]":
        """Return memory over a file without a name whose space is there: a full disk must not kill us later.

        Raises OSError.
        """
        dtype = np.dtype(page.dtype)
        with tempfile.TemporaryFile(dir=self.scratch) as file:
            os.posix_fallocate(file.fileno(), 0, math.prod(page.shape) * dtype.itemsize)
            return np.memmap(file, dtype, "r+", shape=page.shape)

    def _damaged(self, detail: str) -> TruncatedImage | OutOfMemory | MasterUnavailable:
        if storage_fails(detail):
            return MasterUnavailable(
                reason=f"the storage that it lies on fails ({detail})",
                remedy="check the disk or the share; work goes on by itself",
                path=self.path,
            )
        if "memory" in detail.lower():
            return OutOfMemory(
                reason=f"memory did not suffice to read it ({detail})",
                remedy="free some memory; work goes on by itself",
                path=self.path,
            )
        return TruncatedImage(
            reason=f"its pixel data are cut off or damaged ({detail})",
            remedy="copy or scan it again",
            path=self.path,
        )


def _vips_strips(image: pyvips.Image) -> Iterator[tuple[int, Gray]]:
    width, height, bands = int(image.width), int(image.height), int(image.bands)
    dtype = np.uint16 if image.format == "ushort" else np.uint8
    region = pyvips.Region.new(image)
    rows = strip_rows(width, height)
    for top in range(0, height, rows):
        size = min(rows, height - top)
        samples: Gray = np.frombuffer(region.fetch(0, top, width, size), dtype)
        yield top, samples.reshape(size, width, bands)


def _strip(top: int, samples: Gray) -> Strip:
    bands = samples.shape[-1]
    gray = luma(samples[..., :3]) if bands >= 3 else samples[..., 0]
    return Strip(top, np.ascontiguousarray(gray), samples[..., -1] if bands in {2, 4} else None)


def _slices(planes: Gray) -> Iterator[Strip]:
    """Cut upright planes (1 or 2, H, W) into strips."""
    _, height, width = planes.shape
    rows = strip_rows(width, height)
    for top in range(0, height, rows):
        part = np.ascontiguousarray(planes[:, top : top + rows])
        yield Strip(top, part[0], part[1] if len(part) == 2 else None)


def _upright(planes: npt.NDArray[_T], orientation: int) -> npt.NDArray[_T]:
    """Return a view of planes (..., H, W) with an EXIF orientation (1 to 8) applied."""
    if orientation >= 5:
        planes = np.swapaxes(planes, -1, -2)
    flip_rows = orientation in {3, 4, 7, 8}
    flip_columns = orientation in {2, 3, 6, 7}
    if flip_rows:
        planes = planes[..., ::-1, :]
    return planes[..., ::-1] if flip_columns else planes
