"""How the pixels of an identified master are read: upright, strip by strip, damaged data refused.

libvips decodes, and complains of anything odd. So TIFF is shown to it through a header of our own
(`tiff_pixels`), and a JPEG that it complains of without what is odd and no pixel (`jpeg_mending`). What it
has no decoder for (ZSTD and LZMA TIFF) is left to the second decoder. A master that lies on its side is laid
upright on a scratch file, so that memory stays bounded.
"""

import mmap
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

import numpy as np
import pyvips

from restoration.arrays import resample
from restoration.arrays.area_mean import AreaMean
from restoration.arrays.luma import Float, Gray, from_ycbcr, luma
from restoration.arrays.tone_curve import ToneCurve
from restoration.errors import (
    MasterUnavailable,
    OutOfMemory,
    TruncatedImage,
    UnsupportedImage,
)
from restoration.masters import monochrome, pnm, reduced_copies, second_decoder
from restoration.masters.decoder_agreement import DecoderComparison
from restoration.masters.facts import ScanFacts
from restoration.masters.identify import first_line, load, load_pieces
from restoration.masters.jpeg import repair
from restoration.masters.orientation import upright
from restoration.masters.patched_file import Part, iterate_in_thread
from restoration.masters.plausibility import NeighborCorrelation
from restoration.masters.safe_open import open_master, reports_storage_failure, require_storage
from restoration.masters.tiff import directory, header, pixels
from restoration.masters.tiff.layout import unsupported

STRIP_PIXELS = 1 << 18
"""Pixels a strip: its planes fit a processor's cache."""

RowListener = Callable[[int, int], None]
"""Called with the rows done and the rows in all."""


class Checksum(Protocol):
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
class Master:
    """An identified master whose pixels can be read as often as wanted."""

    path: Path
    facts: ScanFacts
    scratch: Path
    """Folder for files without a name, used where the master cannot be streamed."""

    def overview(
        self,
        long_side: int,
        listener: RowListener | None = None,
        digest: Checksum | None = None,
        *,
        correlation: NeighborCorrelation | None = None,
        curve: ToneCurve | None = None,
        comparison: DecoderComparison | None = None,
        notes: list[str] | None = None,
    ) -> Float:
        """Return the upright color bands (C, h, w) in [0, 1], C 1 or 3, averaged to `long_side` or smaller.

        `digest`, `correlation` and `comparison` take in the samples as they are stored, `notes` what was odd
        about them; the bands are those that are shown in sRGB if the samples have another `curve`.

        Raises TruncatedImage, UnsupportedImage, DecodersDisagree, OutOfMemory, MasterUnavailable or NoSpace.
        """
        facts = self.facts
        long = max(facts.width, facts.height)
        height, width = resample.fit(facts.height, facts.width, min(long, long_side))
        mean = AreaMean(facts.height, facts.width, height, width)
        as_stored = facts.alpha_associated or facts.mode == "ycbcr"
        shown = curve.shown(np.uint8 if facts.depth == 8 else np.uint16) if curve else None
        for top, samples in self.stored_strips(digest, notes):
            bands = samples if as_stored else samples[..., : _colors(samples)]
            mean.add(bands if shown is None or as_stored else np.take(shown, bands))
            if comparison:
                comparison.add(top, samples)
            if correlation:
                correlation.add(samples)
            if listener:
                listener(top + samples.shape[0], facts.height)
        planes = _shown(mean.planes(), facts, curve) if as_stored else mean.planes()
        if facts.format == "tiff":
            self._require_one_picture(planes, listener, notes)
        return np.ascontiguousarray(upright(planes, facts.orientation))

    def _require_one_picture(
        self, planes: Float, listener: RowListener | None, notes: list[str] | None
    ) -> None:
        """Raise UnsupportedImage unless all pages that may be reduced copies of the picture look like it."""

        def alive() -> None:
            if listener:
                listener(self.facts.height, self.facts.height)

        others = 0
        with open_master(self.path) as file:
            chosen = header.find_picture(file, self.path, self.facts.file_bytes)
            if not chosen.copies:
                return
            picture = self._reduced(file, chosen, alive)
            if picture is None:
                picture = monochrome.luminance_plane(planes)
            for number in chosen.copies:
                flagged = chosen.is_flagged(number)
                try:
                    page = self._reduced(file, header.open_page(chosen, number, self.path), alive)
                    readable = page is not None or not flagged
                except (TruncatedImage, directory.NoDirectory):
                    page, readable = None, not (flagged or chosen.is_clearly_smaller(number))
                except UnsupportedImage:
                    page, readable = None, not flagged
                if not readable and notes is not None:
                    notes.append("TIFF: a further page, smaller than the picture, cannot be read; ignored")
                turn = self.facts.orientation
                others += readable and (
                    page is None or not reduced_copies.is_copy(page, picture, turn, flagged=flagged)
                )
        if others:
            raise header.several_pictures(1 + others, self.path)

    def _reduced(
        self, file: BufferedReader, chosen: header.TiffPicture, alive: Callable[[], None]
    ) -> Float | None:
        """Return the gray (h, w) of a page of a TIFF as it is stored, reduced; None if no decoder reads it.

        Raises what `stored_strips` raises.
        """
        layout = chosen.layout
        side = min(reduced_copies.MOST_SIDE, max(layout.width, layout.height))
        mean = AreaMean(layout.height, layout.width, *resample.fit(layout.height, layout.width, side))
        rows = strip_rows(layout.width, layout.height)
        try:
            if header.needs_second_decoder(layout):
                strips = second_decoder.read_rows(self.path, header.picture_facts(chosen), threads=1)
            else:
                strips = iterate_in_thread(lambda: pixels.read_strips(file, chosen, rows))
            for _, samples in strips:
                mean.add(samples[..., : _colors(samples)])
                alive()
        except second_decoder.NoSecondDecoder:
            return None
        except pyvips.Error as error:
            raise self._damaged(first_line(error)) from error
        planes = mean.planes()
        return planes[0] if layout.mode == "ycbcr" else monochrome.luminance_plane(planes)

    def strips(self, digest: Checksum | None = None) -> Iterator[Strip]:
        """Yield the upright master from top to bottom; `digest` takes in the samples as they are stored.

        Raises TruncatedImage, OutOfMemory or, from the scratch file, OSError.
        """
        if self.facts.orientation == 1:
            yield from (self._strip(top, samples) for top, samples in self.stored_strips(digest))
        else:
            yield from self._turned_strips(digest)

    def _turned_strips(self, digest: Checksum | None) -> Iterator[Strip]:
        facts = self.facts
        with tempfile.TemporaryFile(dir=self.scratch) as file:
            for top, samples in self.stored_strips(digest):
                strip = self._strip(top, samples)
                planes = (strip.gray,) if strip.alpha is None else (strip.gray, strip.alpha)
                lying = np.stack(planes, axis=1)  # rows, planes, columns: one row after the other in the file
                file.write(lying.tobytes())
            file.flush()
            memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # closed with its last view
            stored = np.frombuffer(memory, lying.dtype).reshape(facts.height, -1, facts.width)
            yield from _slices(upright(np.moveaxis(stored, 1, 0), facts.orientation))

    def stored_strips(
        self, digest: Checksum | None = None, notes: list[str] | None = None
    ) -> Iterator[tuple[int, Gray]]:
        """Yield the top row and the samples (h, W, bands) of each strip as they are stored.

        Gray that is stored inverted is inverted, a palette expanded; YCbCr without JPEG stays Y, Cb and Cr,
        and nothing is divided by an alpha.
        """
        try:
            for top, samples in self._decoded(notes):
                if digest:
                    digest.update(np.ascontiguousarray(samples).data)
                yield top, samples
        except pyvips.Error as error:
            raise self._damaged(first_line(error), str(error)) from error

    def second_decoder_only(self) -> bool:
        """Whether the first decoder has no means to read it, so that the second one reads it for the work."""
        if self.facts.format != "tiff":
            return False
        with open_master(self.path) as file:
            chosen = header.find_picture(file, self.path, self.facts.file_bytes)
        return header.needs_second_decoder(chosen.layout)

    def _decoded(self, notes: list[str] | None) -> Iterator[tuple[int, Gray]]:
        if self.facts.format == "tiff":
            return self._tiff()
        return self._pnm() if self.facts.format == "pnm" else self._libvips(notes)

    def _pnm(self) -> Iterator[tuple[int, Gray]]:
        with open_master(self.path) as file:
            try:
                yield from pnm.read_strips(file, pnm.read_header(file, self.path), self._rows)
            except pnm.CutOff as error:
                raise self._damaged(str(error)) from error
            except OSError as error:
                require_storage(error, self.path)
                raise self._damaged(str(error)) from error

    def _libvips(self, notes: list[str] | None) -> Iterator[tuple[int, Gray]]:
        if self.facts.format != "jpeg":
            yield from _vips_strips(load(self.path, self.facts), 0)
            return
        with open_master(self.path) as file:
            if repair.lacks_scans(file):
                raise self._damaged("scans are missing that bring its details")
            done = 0
            if not repair.may_lack_end_marker(file):
                try:
                    for top, samples in _vips_strips(load(self.path, self.facts), 0):
                        yield top, samples
                        done = top + len(samples)
                except pyvips.Error:
                    mended = repair.repair_stream(file)
                    if mended is None:
                        raise
                else:
                    return
            else:
                mended = repair.repair_stream(file)
            yield from self._mended(file, mended, done, notes)

    def _mended(
        self, file: BufferedReader, mended: repair.RepairedJpeg | None, done: int, notes: list[str] | None
    ) -> Iterator[tuple[int, Gray]]:
        """Yield what follows `done` rows, which were right and will come again."""
        if mended is None:
            yield from _vips_strips(load(self.path, self.facts), done)
            return
        if mended.probe and not _agree(file, mended.pieces, mended.probe):
            raise self._damaged("it ends before its last pixels")
        yield from iterate_in_thread(lambda: _vips_strips(load_pieces(file, mended.pieces), done))
        if notes is not None:
            notes.extend(mended.notes)

    def _tiff(self) -> Iterator[tuple[int, Gray]]:
        with open_master(self.path) as file:
            chosen = header.find_picture(file, self.path, self.facts.file_bytes)
            if header.needs_second_decoder(chosen.layout):
                yield from self._second_decoder()
                return
            try:
                yield from iterate_in_thread(lambda: pixels.read_strips(file, chosen, self._rows))
            except OSError as error:
                require_storage(error, self.path)
                raise self._damaged(str(error)) from error

    def _second_decoder(self) -> Iterator[tuple[int, Gray]]:
        try:
            yield from _portions(second_decoder.read_rows(self.path, self.facts, threads=1), self._rows)
        except second_decoder.NoSecondDecoder as error:
            raise unsupported(
                self.path,
                f"its compression is not read here ({error})",
                "convert it to TIFF with LZW, Deflate or no compression",
            ) from error

    @property
    def _rows(self) -> int:
        return strip_rows(self.facts.width, self.facts.height)

    def _strip(self, top: int, samples: Gray) -> Strip:
        bands = samples.shape[-1]
        as_it_is = bands < 3 or self.facts.mode == "ycbcr"
        gray = samples[..., 0] if as_it_is else luma(samples[..., :3])
        return Strip(top, np.ascontiguousarray(gray), samples[..., -1] if bands in {2, 4} else None)

    def _damaged(self, detail: str, said: str = "") -> TruncatedImage | OutOfMemory | MasterUnavailable:
        """Return the error for data that cannot be read; `said` is all that a library said of it."""
        whole = said or detail
        if reports_storage_failure(whole):
            return MasterUnavailable(
                reason=f"the storage that it lies on fails ({detail})",
                remedy="check the disk or the share; work goes on by itself",
                path=self.path,
            )
        if "memory" in whole.lower():
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


def _portions(strips: Iterator[tuple[int, Gray]], rows: int) -> Iterator[tuple[int, Gray]]:
    """Yield strips of `rows` of strips of any height."""
    top = 0
    waiting: list[Gray] = []
    for _, samples in strips:
        waiting.append(samples)
        while sum(map(len, waiting)) >= rows:
            whole = np.concatenate(waiting) if len(waiting) > 1 else waiting[0]
            yield top, whole[:rows]
            top += rows
            waiting = [whole[rows:]]
    whole = np.concatenate(waiting)
    if len(whole):
        yield top, whole


def _vips_strips(image: pyvips.Image, done: int) -> Iterator[tuple[int, Gray]]:
    """Yield the strips that follow the first `done` rows, a whole number of strips."""
    width, height, bands = int(image.width), int(image.height), int(image.bands)
    dtype = np.uint16 if image.format == "ushort" else np.uint8
    region = pyvips.Region.new(image)
    rows = strip_rows(width, height)
    for top in range(0, height, rows):
        size = min(rows, height - top)
        samples: Gray = np.frombuffer(region.fetch(0, top, width, size), dtype)
        if top >= done:
            yield top, samples.reshape(size, width, bands)


def _agree(file: BufferedReader, one: Sequence[Part], other: Sequence[Part]) -> bool:
    """Whether the same samples are decoded from both, whatever is complained of."""

    def both() -> Iterator[tuple[tuple[int, Gray], tuple[int, Gray]]]:
        images = [load_pieces(file, pieces, fail_on="none") for pieces in (one, other)]
        return zip(*(_vips_strips(image, 0) for image in images), strict=True)

    return all(np.array_equal(mine, its) for (_, mine), (_, its) in iterate_in_thread(both))


def _colors(samples: Gray) -> int:
    return 3 if samples.shape[-1] >= 3 else 1


def _shown(planes: Float, facts: ScanFacts, curve: ToneCurve | None) -> Float:
    """Return gray or RGB (C, h, w) in sRGB of the means of YCbCr or of samples multiplied by their alpha."""
    if facts.alpha_associated:
        alpha = planes[-1]
        planes = np.divide(planes[:-1], alpha, out=np.zeros_like(planes[:-1]), where=alpha > 0).clip(0, 1)
    if facts.mode == "ycbcr":
        planes = from_ycbcr(planes[:3])
    if curve is None:
        return planes
    steps = np.rint(planes * 65535).astype(np.uint16)
    return np.take(curve.shown(np.uint16), steps).astype(np.float32) / np.float32(65535)


def _slices(planes: Gray) -> Iterator[Strip]:
    """Cut upright planes (1 or 2, H, W) into strips."""
    _, height, width = planes.shape
    rows = strip_rows(width, height)
    for top in range(0, height, rows):
        part = np.ascontiguousarray(planes[:, top : top + rows])
        yield Strip(top, part[0], part[1] if len(part) == 2 else None)
