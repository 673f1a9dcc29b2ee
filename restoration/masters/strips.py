"""Pixels of a master, read strip by strip and upright.

libvips decodes, and every warning of it is an error. So TIFF is shown to it through a header of our own
(`tiff.pixels`), and an odd JPEG is repaired first (`jpeg.repair`). TIFF with a compression that libvips does
not read (ZSTD, LZMA and others) is read by the second decoder. A master whose orientation is not 1 is turned
upright through a scratch file, so that memory stays bounded.
"""

import mmap
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import pyvips

from restoration.arrays import resample
from restoration.arrays.area_mean import AreaMean
from restoration.arrays.luma import Float, Gray, from_ycbcr, luma
from restoration.arrays.tone_curve import ToneCurve
from restoration.masters import libvips, pnm, reduced_copies, second_decoder
from restoration.masters.decode_errors import DamagedPixels, NoSecondDecoder
from restoration.masters.decoder_agreement import DecoderComparison, RowBuffer
from restoration.masters.facts import ScanFacts
from restoration.masters.jpeg import repair
from restoration.masters.jpeg.scans import lacks_scans
from restoration.masters.libvips import iterate_in_thread
from restoration.masters.orientation import upright
from restoration.masters.patched_file import Part
from restoration.masters.plausibility import NeighborCorrelation
from restoration.masters.refusals import RECOMPRESS, unreadable_pixels, unsupported
from restoration.masters.safe_open import open_master, require_storage
from restoration.masters.tiff import pixels
from restoration.masters.tiff.picture import find_picture, needs_second_decoder

STRIP_PIXELS: Final = 1 << 18
"""Pixels of a strip: its planes fit a processor's cache."""

RowListener = Callable[[int, int], None]
"""Called with the rows done and all rows."""


class Checksum(Protocol):
    """A running digest, as `hashlib` makes them."""

    def update(self, data: memoryview, /) -> None:
        """Add bytes."""


def strip_rows(width: int, height: int) -> int:
    """Return the rows of a strip for a picture of this size: all of them, or a power of two."""
    most = max(1, STRIP_PIXELS // width)
    return height if height <= most else 1 << (most.bit_length() - 1)


@dataclass(frozen=True, slots=True)
class Strip:
    """Upright rows of a master: gray and alpha (h, W), uint8 or uint16."""

    top: int
    gray: Gray
    alpha: Gray | None


@dataclass(frozen=True, slots=True)
class Master:
    """An identified master whose pixels can be read any number of times."""

    path: Path
    facts: ScanFacts
    scratch: Path
    """Folder for unnamed scratch files."""

    def overview(
        self,
        long_side: int,
        listener: RowListener | None = None,
        checksum: Checksum | None = None,
        *,
        correlation: NeighborCorrelation | None = None,
        curve: ToneCurve | None = None,
        comparison: DecoderComparison | None = None,
        notes: list[str] | None = None,
    ) -> Float:
        """Return the upright picture (C, h, w), float32 in [0, 1], C 1 or 3, reduced to `long_side`.

        All pixels are read. `checksum`, `correlation` and `comparison` receive the samples as stored; `notes`
        receives what is odd about them. Samples with a `curve` are converted to sRGB.

        Raises TruncatedImage, UnsupportedImage, DecodersDisagree, OutOfMemory, MasterUnavailable or NoSpace.
        """
        facts = self.facts
        long = max(facts.width, facts.height)
        height, width = resample.fit(facts.height, facts.width, min(long, long_side))
        mean = AreaMean(facts.height, facts.width, height, width)
        convert_means = facts.alpha_associated or facts.mode == "ycbcr"
        table = curve.shown(np.uint8 if facts.depth == 8 else np.uint16) if curve else None
        for top, samples in self.stored_strips(checksum, notes):
            bands = samples if convert_means else samples[..., : 3 if samples.shape[-1] >= 3 else 1]
            mean.add(bands if table is None or convert_means else np.take(table, bands))
            if comparison:
                comparison.add(top, samples)
            if correlation:
                correlation.add(samples)
            if listener:
                listener(top + samples.shape[0], facts.height)
        planes = _srgb_planes(mean.planes(), facts, curve) if convert_means else mean.planes()
        if facts.format == "tiff":

            def alive() -> None:
                if listener:
                    listener(facts.height, facts.height)

            rows = strip_rows(facts.width, facts.height)
            found = reduced_copies.require_one_picture(self.path, facts, planes, rows, alive)
            if notes is not None:
                notes.extend(found)
        return np.ascontiguousarray(upright(planes, facts.orientation))

    def strips(self, checksum: Checksum | None = None) -> Iterator[Strip]:
        """Yield the upright master from top to bottom; `checksum` receives the samples as stored.

        Raises TruncatedImage, OutOfMemory or, from the scratch file, OSError.
        """
        if self.facts.orientation == 1:
            yield from (self._strip(top, samples) for top, samples in self.stored_strips(checksum))
        else:
            yield from self._turned_strips(checksum)

    def _turned_strips(self, checksum: Checksum | None) -> Iterator[Strip]:
        facts = self.facts
        with tempfile.TemporaryFile(dir=self.scratch) as file:
            for top, samples in self.stored_strips(checksum):
                strip = self._strip(top, samples)
                planes = (strip.gray,) if strip.alpha is None else (strip.gray, strip.alpha)
                rows = np.stack(planes, axis=1)  # (h, planes, W): the file holds row after row
                file.write(rows.tobytes())
            file.flush()
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # closed with its last view
            stored = np.frombuffer(memory, rows.dtype).reshape(facts.height, -1, facts.width)
            turned = upright(np.moveaxis(stored, 1, 0), facts.orientation)
            _, height, width = turned.shape
            step = strip_rows(width, height)
            for top in range(0, height, step):
                part = np.ascontiguousarray(turned[:, top : top + step])
                yield Strip(top, part[0], part[1] if len(part) == 2 else None)

    def _strip(self, top: int, samples: Gray) -> Strip:
        bands = samples.shape[-1]
        has_gray = bands < 3 or self.facts.mode == "ycbcr"
        gray = samples[..., 0] if has_gray else luma(samples[..., :3])
        return Strip(top, np.ascontiguousarray(gray), samples[..., -1] if bands in {2, 4} else None)

    def stored_strips(
        self, checksum: Checksum | None = None, notes: list[str] | None = None
    ) -> Iterator[tuple[int, Gray]]:
        """Yield the top row and the samples (h, W, bands), uint8 or uint16, of each strip as stored.

        Inverted gray is inverted back and a palette expanded. YCbCr without JPEG stays Y, Cb and Cr, and
        nothing is divided by an alpha.

        Raises TruncatedImage, UnsupportedImage, OutOfMemory or MasterUnavailable.
        """
        try:
            for top, samples in self._decoded(notes):
                if checksum:
                    checksum.update(np.ascontiguousarray(samples).data)
                yield top, samples
        except pyvips.Error as error:
            raise unreadable_pixels(self.path, libvips.first_line(error), str(error)) from error

    def second_decoder_only(self) -> bool:
        """Return whether libvips has no decoder for it, so that the second decoder reads it alone."""
        if self.facts.format != "tiff":
            return False
        with open_master(self.path) as file:
            picture = find_picture(file, self.path, self.facts.file_bytes)
        return needs_second_decoder(picture.layout)

    def _decoded(self, notes: list[str] | None) -> Iterator[tuple[int, Gray]]:
        with open_master(self.path) as file:
            try:
                match self.facts.format:
                    case "tiff":
                        yield from self._tiff(file)
                    case "pnm":
                        yield from pnm.read_strips(file, pnm.read_header(file, self.path), self._rows)
                    case "jpeg":
                        yield from self._jpeg(file, notes)
                    case _:
                        yield from _libvips_strips(libvips.load(self.path, self.facts))
            except DamagedPixels as error:
                raise unreadable_pixels(self.path, str(error)) from error
            except OSError as error:
                require_storage(error, self.path)
                raise unreadable_pixels(self.path, str(error)) from error

    def _tiff(self, file: BufferedReader) -> Iterator[tuple[int, Gray]]:
        picture = find_picture(file, self.path, self.facts.file_bytes)
        if not needs_second_decoder(picture.layout):
            yield from iterate_in_thread(lambda: pixels.read_strips(file, picture, self._rows))
            return
        try:
            buffer = RowBuffer(second_decoder.read_rows(self.path, self.facts, threads=1))
            for top in range(0, self.facts.height, self._rows):
                yield top, buffer.take(min(self._rows, self.facts.height - top))
        except NoSecondDecoder as error:
            raise unsupported(self.path, f"its compression is not supported ({error})", RECOMPRESS) from error

    def _jpeg(self, file: BufferedReader, notes: list[str] | None) -> Iterator[tuple[int, Gray]]:
        """Yield the strips of a JPEG, repaired if libvips complains of it and the repair costs no pixel."""
        if lacks_scans(file):
            raise unreadable_pixels(self.path, "some of its scans are missing")
        done = 0
        complaint: pyvips.Error | None = None
        if not repair.may_lack_end_marker(file):
            try:
                for top, samples in _libvips_strips(libvips.load(self.path, self.facts)):
                    yield top, samples
                    done = top + len(samples)
            except pyvips.Error as error:
                complaint = error
            else:
                return
        repaired = repair.repair_stream(file)
        if repaired is None:
            if complaint:
                raise complaint
            yield from _libvips_strips(libvips.load(self.path, self.facts))
            return
        if repaired.probe and not _same_samples(file, repaired.parts, repaired.probe):
            raise unreadable_pixels(self.path, "it ends before its last pixels")
        # The rows that were already yielded are decoded again, and skipped.
        yield from iterate_in_thread(lambda: _libvips_strips(libvips.load_parts(file, repaired.parts), done))
        if notes is not None:
            notes.extend(repaired.notes)

    @property
    def _rows(self) -> int:
        return strip_rows(self.facts.width, self.facts.height)


def _libvips_strips(image: pyvips.Image, skipped_rows: int = 0) -> Iterator[tuple[int, Gray]]:
    """Yield the strips (h, W, bands) of an image after the first `skipped_rows`, a whole number of strips."""
    width, height, bands = int(image.width), int(image.height), int(image.bands)
    dtype = np.uint16 if image.format == "ushort" else np.uint8
    region = pyvips.Region.new(image)
    rows = strip_rows(width, height)
    for top in range(0, height, rows):
        size = min(rows, height - top)
        samples: Gray = np.frombuffer(region.fetch(0, top, width, size), dtype)
        if top >= skipped_rows:
            yield top, samples.reshape(size, width, bands)


def _same_samples(file: BufferedReader, one: Sequence[Part], other: Sequence[Part]) -> bool:
    """Return whether both patched files decode to the same samples, warnings ignored."""

    def pairs() -> Iterator[tuple[tuple[int, Gray], tuple[int, Gray]]]:
        images = [libvips.load_parts(file, parts, fail_on="none") for parts in (one, other)]
        return zip(*(_libvips_strips(image) for image in images), strict=True)

    return all(np.array_equal(first, second) for (_, first), (_, second) in iterate_in_thread(pairs))


def _srgb_planes(planes: Float, facts: ScanFacts, curve: ToneCurve | None) -> Float:
    """Return gray or RGB (C, h, w), float32 in [0, 1] in sRGB.

    `planes` are means of YCbCr, or of samples multiplied by their alpha.
    """
    if facts.alpha_associated:
        alpha = planes[-1]
        planes = np.divide(planes[:-1], alpha, out=np.zeros_like(planes[:-1]), where=alpha > 0).clip(0, 1)
    if facts.mode == "ycbcr":
        planes = from_ycbcr(planes[:3])
    if curve is None:
        return planes
    steps = np.rint(planes * 65535).astype(np.uint16)
    return np.take(curve.shown(np.uint16), steps).astype(np.float32) / np.float32(65535)
