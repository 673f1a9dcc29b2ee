"""Verification of a finished derivative: the second decoder decodes it, and its luma is compared.

Every pixel of the file is decoded again, by code that neither wrote it nor read the master for the work
(`second_decoder`), and its luma is computed in other ways than by the code that colored it
(`arrays.reference_luma`). Both decoders saw the expected gray when the master was read first
(`decoder_agreement`).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from restoration.arrays import reference_luma
from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Gray
from restoration.derivatives.compose import ExpectedSamples, ImageSpec, to_8_bit
from restoration.derivatives.verified_deflate import luma_mismatch
from restoration.errors import LumaMismatch, MasterError
from restoration.masters import second_decoder
from restoration.masters.decode_errors import NoSecondDecoder
from restoration.masters.decoder_agreement import ReferenceDigests, RowBuffer
from restoration.masters.facts import Limits, ScanFacts
from restoration.masters.identify import identify
from restoration.masters.safe_open import open_master
from restoration.masters.strips import Master, RowListener, Strip
from restoration.masters.tiff.segment_layout import TIFFFILE_ERRORS

_NO_LIMITS = Limits(1 << 62, 1 << 62)


@dataclass(frozen=True, slots=True)
class Verification:
    """Result of decoding the derivative."""

    luma_max_error: int
    """In steps of the derivative's bit depth."""
    luma_mean_error: float
    pixel_sha256: str
    """Of the decoded samples: rows top to bottom, interleaved, little-endian."""
    decoders: int
    """Number of independent decoders that have read the derivative: 2, or 1 where there is no second one."""


def verify_lossless(
    path: Path,
    spec: ImageSpec,
    expected: ExpectedSamples,
    reference: ReferenceDigests,
    *,
    threads: int,
    listener: RowListener | None = None,
) -> Verification:
    """Check that a lossless derivative decodes to the composed samples, with the luma of its master.

    libvips must decode the same first rows, so that two decoders understand it. Raises LumaMismatch.
    """
    try:
        facts = identify(path, _NO_LIMITS)
        seen = (facts.width, facts.height, facts.bands, facts.bit_depth, facts.mode, facts.orientation)
        if seen != (spec.width, spec.height, spec.bands, spec.bits, "rgb", 1):
            raise _not_kept(f"its header says {seen}", path)
        samples, gray, alpha = _digests(path, facts, threads, listener)
        if samples != expected.pixel_sha256:
            raise _not_kept("its samples differ from the composed ones", path)
        if gray != reference.gray_sha256:
            raise _not_kept("its luminance differs from that of the master as another decoder reads it", path)
        if spec.bands == 4 and alpha != reference.alpha_sha256:
            raise _not_kept("its alpha is not that of the master", path)
        _, first = next(Master(path, facts, path.parent).stored_strips())
        if hashlib.sha256(_little_endian(first)).hexdigest() != expected.first_sha256:
            raise _not_kept("libvips decodes other samples from it", path)
        if expected.copies and _copies(path) != expected.copies:
            raise _not_kept("its reduced copies are not those that were written", path)
    except (MasterError, NoSecondDecoder, *TIFFFILE_ERRORS) as error:
        raise _not_kept(f"it cannot be read back ({error})", path) from error
    return Verification(0, 0.0, samples, 2)


def _digests(
    path: Path, facts: ScanFacts, threads: int, listener: RowListener | None
) -> tuple[str, str, str]:
    """Return the sha256 of the samples, of their luma and of their alpha. Raises LumaMismatch."""

    def reckoned(top: int, samples: Gray, buffers: BufferPool) -> tuple[int, Gray, Gray]:
        gray = reference_luma.fixed_point_luma(samples[..., :3], buffers)
        if not np.array_equal(gray, reference_luma.decimal_luma(samples[..., :3], buffers)):
            raise _not_kept("its luminance depends on how its weights are rounded", path)
        return top, samples, gray

    whole, luminance, opacity = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    for top, samples, gray in second_decoder.map_rows(path, facts, reckoned, threads):
        whole.update(_little_endian(samples))
        luminance.update(_little_endian(gray))
        if samples.shape[2] == 4:
            opacity.update(_little_endian(samples[..., 3]))
        if listener:
            listener(top + len(samples), facts.height)
    return whole.hexdigest(), luminance.hexdigest(), opacity.hexdigest()


def _copies(path: Path) -> tuple[str, ...]:
    """Return the sha256 of the compressed pieces of each page of a TIFF but the first."""
    found: list[str] = []
    page: Any
    with open_master(path) as file, tifffile.TiffFile(file, name=path.name) as tiff:
        for page in tiff.pages[1:]:
            digest = hashlib.sha256()
            for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
                file.seek(offset)
                digest.update(file.read(size))
            found.append(digest.hexdigest())
    return tuple(found)


def measure_lossy(
    path: Path, strips: Iterator[Strip], rows: int, listener: RowListener | None = None
) -> Verification:
    """Decode a lossy derivative and compare its luma with the gray of the master's upright `strips`.

    All strips, `rows` rows in all, are taken. Raises LumaMismatch if the derivative cannot be read back, or
    what reading the master raises.
    """
    digest = hashlib.sha256()
    largest, total, seen = 0, 0, 0
    decoders, made = _read_back(path)
    for strip in strips:
        samples = made.take(len(strip.gray))
        digest.update(_little_endian(samples))
        error = np.abs(
            reference_luma.fixed_point_luma(samples[..., :3]).astype(np.int32) - to_8_bit(strip.gray)
        )
        largest = max(largest, int(error.max()))
        total += int(error.sum(dtype=np.int64))
        seen += error.size
        if listener:
            listener(strip.top + len(samples), rows)
    return Verification(largest, total / seen, digest.hexdigest(), decoders)


def _read_back(path: Path) -> "tuple[int, RowBuffer]":
    """Return how many decoders read a JPEG, counting the one that wrote it, and its rows."""

    def portions() -> Iterator[tuple[int, Gray]]:
        try:
            yield from found
        except MasterError as error:
            raise _not_kept(f"it cannot be read back ({error.reason})", path) from error

    try:
        facts = identify(path, _NO_LIMITS)
    except MasterError as error:
        raise _not_kept(f"it cannot be read back ({error.reason})", path) from error
    if second_decoder.can_read(facts):
        decoders, found = 2, second_decoder.read_rows(path, facts)
    else:
        decoders, found = 1, Master(path, facts, path.parent).stored_strips()
    return decoders, RowBuffer(portions())


def _not_kept(reason: str, path: Path) -> LumaMismatch:
    error = luma_mismatch(reason)
    return LumaMismatch(reason=error.reason, remedy=error.remedy, path=path)


def _little_endian(samples: Gray) -> memoryview:
    return np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data
