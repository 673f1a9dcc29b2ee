"""Second decoder: the samples of a picture, decoded by libraries that share no code with libvips.

The work reads a master through libvips. A fault of libvips, or of the way it is called, would pass through to
the derivative and to any check that calls libvips again. So the checks use other decoders: tifffile and
imagecodecs for TIFF, Pillow's own decoders for PNG, GIF and PNM, libpng for PNG with 16 bits, and
libjpeg-turbo for JPEG (libvips comes with mozjpeg, a fork of it). WebP has a single decoder, so for WebP only
the way it is called is checked.

Samples are as stored: no alpha is divided out and no profile is applied. They must be equal to those of
`Master.stored_strips`. Memory is bounded by strips and tiles. Interlaced PNG, JPEG, WebP, GIF and PNM are
decoded as a whole, up to `MAX_BYTES`.
"""

import io
import os
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, Final, TypeVar

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from restoration.arrays import ordered_map
from restoration.arrays.buffer_pool import BufferPool
from restoration.arrays.luma import Gray
from restoration.masters.decode_errors import DamagedPixels, NoSecondDecoder
from restoration.masters.facts import ScanFacts
from restoration.masters.jpeg.completeness import with_end_marker, with_probes
from restoration.masters.png import rows as png_rows
from restoration.masters.refusals import truncated
from restoration.masters.safe_open import open_master, require_storage
from restoration.masters.tiff import segments
from restoration.masters.tiff.segment_layout import TIFFFILE_ERRORS, SegmentLayout, segment_layout

MAX_BYTES: Final = 1 << 29
"""Bytes of a picture that is decoded as a whole."""

_DECODED_WHOLE: Final = {"jpeg": "JPEG", "webp": "WEBP", "gif": "GIF", "pnm": "PPM"}
"""Formats that are decoded as a whole, with Pillow's names."""
_PILLOW_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_PORTION: Final = 1 << 20
"""Samples of a portion of rows."""
_MAX_PARALLEL_BYTES: Final = 1 << 25
"""Bytes of a portion up to which several portions are decoded in parallel."""

Image.MAX_IMAGE_PIXELS = None  # `identify` checks our own limits before anything is decoded


_Result = TypeVar("_Result")


def can_read(facts: ScanFacts, max_bytes: int = MAX_BYTES) -> bool:
    """Return whether the facts allow a second decoder; `read_rows` may still refuse."""
    if facts.format in _DECODED_WHOLE:
        return _whole_bytes(facts) <= max_bytes
    return facts.format in {"tiff", "png"}


def _whole_bytes(facts: ScanFacts) -> int:
    """Return the bytes of a picture decoded as a whole: Pillow stores 16-bit samples in 32 bits."""
    return facts.pixels * facts.bands * (4 if facts.depth == 16 else 1)


def read_rows(
    path: Path,
    facts: ScanFacts,
    threads: int | None = None,
    *,
    strict: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Iterator[tuple[int, Gray]]:
    """Yield the top row and the samples (h, W, bands), uint8 or uint16, of portions of rows of any height.

    Missing pixels are never filled in. JPEG data are decoded twice to detect them (`jpeg.completeness`), LZW
    data only if `strict`; otherwise the comparison with the first decoder has to detect them. A picture that
    is decoded as a whole may have `max_bytes`.

    Raises NoSecondDecoder, TruncatedImage or what `open_master` raises.
    """

    def keep(top: int, samples: Gray, buffers: BufferPool) -> tuple[int, Gray]:
        buffers.clear()  # the samples now belong to the caller
        return top, samples

    return map_rows(path, facts, keep, threads, strict=strict, max_bytes=max_bytes)


def map_rows(
    path: Path,
    facts: ScanFacts,
    work: Callable[[int, Gray, BufferPool], _Result],
    threads: int | None = None,
    *,
    strict: bool = False,
    max_bytes: int = MAX_BYTES,
) -> Iterator[_Result]:
    """Yield `work(top, samples, buffers)` for portions of rows, computed in parallel, in order.

    The samples (h, W, bands), uint8 or uint16, are in `buffers`, and valid as `ordered_map.in_order` says;
    otherwise as `read_rows`.
    """
    try:
        threads = threads or ordered_map.usual_threads()
        if facts.format == "tiff":
            yield from _map_tiff(path, facts, work, threads, max_bytes, strict=strict)
            return
        rows = max(1, _PORTION // (facts.width * facts.bands))
        found: Iterator[Gray]
        if facts.format == "png":
            found = (_with_bands(part, facts) for part in png_rows.read_rows(path, rows, max_bytes))
        elif facts.format in _DECODED_WHOLE:
            whole = _whole(path, facts, max_bytes)
            found = (whole[top : top + rows] for top in range(0, len(whole), rows))
        else:
            raise NoSecondDecoder(facts.format)
        portions = _with_top_rows(found, facts)
        yield from ordered_map.in_order(portions, lambda portion, buffers: work(*portion, buffers), threads)
    except (DamagedPixels, SyntaxError, *TIFFFILE_ERRORS) as error:
        if isinstance(error, OSError):
            require_storage(error, path)
        detail = error if isinstance(error, DamagedPixels) else "the decoder cannot read them"
        raise truncated(path, f"its pixel data are cut off or damaged ({detail})") from error


def _with_top_rows(found: Iterator[Gray], facts: ScanFacts) -> Iterator[tuple[int, Gray]]:
    top = 0
    for samples in found:
        yield top, samples
        top += len(samples)
    if top != facts.height:
        raise DamagedPixels(f"{top:,} of {facts.height:,} rows")


def _map_tiff(
    path: Path,
    facts: ScanFacts,
    work: Callable[[int, Gray, BufferPool], _Result],
    threads: int,
    max_bytes: int,
    *,
    strict: bool,
) -> Iterator[_Result]:
    with open_master(path) as file, _open_tiff(file, path) as tiff:
        page, layout = _tiff_page(tiff, facts.page, max_bytes)
        if (layout.width, layout.height) != (facts.width, facts.height):
            raise DamagedPixels("its header gives another size")
        chosen = _channels(page, layout, facts)
        colormap = page.colormap if facts.mode == "palette" else None
        descriptor = file.fileno()

        def read(offset: int, size: int) -> bytes:
            return os.pread(descriptor, size, offset)

        def decoded(span: tuple[int, int], buffers: BufferPool) -> _Result:
            packed = segments.decode_span(layout, read, *span, buffers, strict=strict)
            samples = segments.expand_samples(packed, layout, colormap)[..., chosen]
            if facts.mode == "gray-inverted":
                samples = samples.copy()
                samples[..., 0] = np.iinfo(samples.dtype).max - samples[..., 0]
            return work(span[0], samples, buffers)

        spans = segments.row_spans(layout)
        rows = max(end - top for top, end in segments.row_spans(layout))
        if rows * layout.width * layout.samples * layout.dtype.itemsize > _MAX_PARALLEL_BYTES:
            yield from (decoded(span, BufferPool()) for span in spans)
        else:
            yield from ordered_map.in_order(spans, decoded, threads)


def _open_tiff(file: BufferedReader, path: Path) -> tifffile.TiffFile:
    """Open a TIFF with tifffile. Raises NoSecondDecoder for a header that it cannot read."""
    try:
        return tifffile.TiffFile(file, name=path.name)
    except TIFFFILE_ERRORS as error:
        raise _header_error(error, path) from error


def _tiff_page(tiff: tifffile.TiffFile, number: int, max_bytes: int) -> tuple[Any, SegmentLayout]:
    try:
        page: Any = tiff.pages[number]
        return page, segment_layout(page, max_bytes)
    except (DamagedPixels, *TIFFFILE_ERRORS) as error:
        raise _header_error(error, Path(tiff.filename)) from error


def _header_error(error: Exception, path: Path) -> Exception:
    """Return NoSecondDecoder; raise MasterUnavailable if the storage failed."""
    if isinstance(error, OSError):
        require_storage(error, path)
    return NoSecondDecoder("tifffile cannot read its header")


def _channels(page: Any, layout: SegmentLayout, facts: ScanFacts) -> "slice | list[int]":
    """Return the indices of the channels of the picture: its colors, and its alpha if it has one."""
    colors = 3 if facts.mode in {"rgb", "palette", "ycbcr"} else 1
    stored = layout.samples + (2 if facts.mode == "palette" else 0)
    extras = facts.bands - colors
    if stored < facts.bands or extras < 0:
        raise DamagedPixels("its header gives other samples")
    if extras != 1:
        return slice(0, facts.bands)
    kinds = [int(kind) for kind in page.extrasamples]
    alpha = next((i for i, kind in enumerate(kinds) if kind in {1, 2}), 0)
    return [*range(colors), colors + alpha]


def _whole(path: Path, facts: ScanFacts, max_bytes: int) -> Gray:
    if _whole_bytes(facts) > max_bytes:
        raise NoSecondDecoder(f"more than {max_bytes:,} bytes, decoded as a whole")
    with open_master(path) as file:
        data = file.read()
    jpeg = facts.format == "jpeg"
    samples = _samples(with_end_marker(data) if jpeg else data, facts)
    if jpeg and not np.array_equal(samples, _samples(with_probes(data), facts)):
        raise DamagedPixels("pixels are missing")
    return _with_bands(samples, facts)


def _samples(data: bytes, facts: ScanFacts) -> Gray:
    if facts.format == "jpeg":
        gray_or_rgb: Gray = np.asarray(imagecodecs.jpeg8_decode(data))
        return gray_or_rgb[..., None] if gray_or_rgb.ndim == 2 else gray_or_rgb
    if facts.format == "pnm" and facts.bit_depth == 16:
        return _pnm_16_bit(data, facts)
    with Image.open(io.BytesIO(data), formats=(_DECODED_WHOLE[facts.format],)) as picture:
        plain = picture.mode in {"L", "RGB", "RGBA"}
        samples: Gray = np.asarray(picture if plain else picture.convert(_PILLOW_MODES[facts.bands]))
    if facts.format == "gif" and samples.ndim == 3 and samples.shape[2] == 4:
        samples = samples * (samples[..., 3:] > 0)  # transparent pixels have no color
    return samples[..., None] if samples.ndim == 2 else samples


def _pnm_16_bit(data: bytes, facts: ScanFacts) -> Gray:
    """Return the samples (H, W, bands), uint16, of a PNM with 16 bits.

    Pillow reduces such colors to 8 bits, but not gray. So colors are read as gray, three times as wide.
    """
    if facts.bands == 3:
        with Image.open(io.BytesIO(data), formats=("PPM",)) as picture:
            offset = int(picture.tile[0].offset)
        kind = {b"P6": b"P5", b"P3": b"P2"}[data[:2]]
        data = kind + f" {3 * facts.width} {facts.height} 65535\n".encode() + data[offset:]
    with Image.open(io.BytesIO(data), formats=("PPM",)) as picture:
        return np.asarray(picture).astype(np.uint16).reshape(facts.height, facts.width, facts.bands)


def _with_bands(samples: Gray, facts: ScanFacts) -> Gray:
    """Return samples with the bands of the facts: a palette of grays may be identified as gray."""
    bands = samples.shape[2]
    if bands == facts.bands:
        return samples
    if bands == facts.bands + 2 and np.ptp(samples[..., :3], axis=2).max() == 0:
        return samples[..., 2:]
    raise DamagedPixels(f"{bands} samples per pixel instead of {facts.bands}")
